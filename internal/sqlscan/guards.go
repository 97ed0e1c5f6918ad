package sqlscan

import "strings"

// guard is a setting that protects rows, with the values that turn it off.
type guard struct {
	name string
	off  func(value string) bool
}

// guards are the settings that protect a session or server. A value that is not known
// is taken for the worst.
var guards = [...]guard{
	// MySQL and MariaDB
	{"foreign_key_checks", isNotPlainOn},
	{"unique_checks", isNotPlainOn},
	{"sql_safe_updates", isNotOn},
	{"safe_updates", isNotOn},
	{"check_constraint_checks", isNotOn},
	{"sql_log_bin", isNotOn},
	// PostgreSQL
	{"session_replication_role", isReplica},
	{"track_counts", isNotOn},
	{"safeupdate.enabled", isNotOn},
	{"event_triggers", isNotOn},
	{"allow_system_table_mods", isNotOff},
	{"zero_damaged_pages", isNotOff},
	{"ignore_checksum_failure", isNotOff},
	{"restrict_nonsystem_relation_kind", func(v string) bool { return v == "" }},
	// SQLite
	{"foreign_keys", isNotPlainOn},
	{"ignore_check_constraints", isNotOff},
	{"writable_schema", isNotOff},
	{"journal_mode", func(v string) bool { return equalFold(v, "off") }},
	{"schema_version", func(v string) bool { return v != "" }},
	// ClickHouse
	{"max_table_size_to_drop", func(string) bool { return true }},
	{"max_partition_size_to_drop", func(string) bool { return true }},
	{"force_drop_table", isNotOff},
	{"force_primary_key", isNotOn},
	{"force_index_by_date", isNotOn},
	{"readonly", isNotOn},
}

// turnsGuardOff reports that this value of the setting turns protection off. Of an
// extension's settings, x.bypass on and x.enabled off do.
func turnsGuardOff(name, value string) bool {
	for _, g := range guards {
		if equalFold(g.name, name) {
			return g.off(value)
		}
	}
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return false
	}
	switch last := name[dot+1:]; {
	case equalFold(last, "bypass"):
		return isNotOff(value)
	case equalFold(last, "enabled"):
		return isNotOn(value)
	}
	return false
}

// IsProtection reports a setting that some value turns a protection off with.
func IsProtection(setting string) bool { return turnsGuardOff(setting, "") }

func isOff(v string) bool {
	return v == "0" || equalFold(v, "off") || equalFold(v, "false") || equalFold(v, "no")
}

func isOn(v string) bool {
	return v == "1" || v == "2" || equalFold(v, "on") || equalFold(v, "true") || equalFold(v, "yes") ||
		equalFold(v, "default")
}

func isNotOn(v string) bool { return !isOn(v) }

// isNotPlainOn is isNotOn without DEFAULT, which MySQL 9.7 takes for 0 in settings that it
// keeps inverted, whatever the global value is. SQLite takes it for 0, as any word that it
// does not know.
func isNotPlainOn(v string) bool { return !isOn(v) || equalFold(v, "default") }

func isNotOff(v string) bool { return !isOff(v) && !equalFold(v, "default") }

// isReplica reports any value but origin, local and DEFAULT, under which ordinary
// triggers fire.
func isReplica(v string) bool {
	return !equalFold(v, "origin") && !equalFold(v, "local") && !equalFold(v, "default")
}

// equalFold compares ASCII without regard to case.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i]|0x20 != b[i]|0x20 {
			return false
		}
	}
	return true
}

// pragma reads SQLite's PRAGMA. One without a value reads the setting.
func (p *parser) pragma() {
	at := p.tok
	p.next()
	sp := p.name()
	name := p.t.Source[sp.Start:sp.End]
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		name = name[dot+1:]
	}
	name = Unquote(name)
	given := p.is('=') || p.is('(')
	if given {
		p.next()
	}
	kind := Session
	switch {
	case given && turnsGuardOff(name, p.valueText()):
		kind = GuardOff
	case given && pragmaWrites(name), equalFold(name, "wal_checkpoint"),
		equalFold(name, "incremental_vacuum"), equalFold(name, "optimize"), equalFold(name, "journal_mode"):
		kind = Maintain
	}
	p.addOn(kind, at, sp, 0)
	for !p.failed && !p.atEnd() {
		p.next()
	}
}

// pragmaWrites reports the settings that are kept in the database file.
func pragmaWrites(name string) bool {
	for _, n := range [...]string{
		"application_id", "auto_vacuum", "default_cache_size", "encoding", "page_size", "user_version",
	} {
		if equalFold(name, n) {
			return true
		}
	}
	return false
}
