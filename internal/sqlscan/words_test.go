package sqlscan

import (
	"slices"
	"strings"
	"testing"
)

func TestKeywordsAreFound(t *testing.T) {
	for k := keyword(1); k < keywordCount; k++ {
		name := keywords[k].name
		for _, spelling := range []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			if got := lookup(spelling); got != k {
				t.Errorf("%q is found as %q", spelling, keywords[got].name)
			}
		}
		for _, other := range []string{name + "x", "x" + name, name[:len(name)-1]} {
			if got := lookup(other); got != 0 && keywords[got].name != other {
				t.Errorf("%q is found as %q", other, keywords[got].name)
			}
		}
	}
}

func TestFunctionListsAreSorted(t *testing.T) {
	lists := map[string][]string{"common": commonFunctions[:]}
	for d := PostgreSQL; d <= ClickHouse; d++ {
		lists[d.String()] = functionsOf[d]
	}
	for name, list := range lists {
		if !slices.IsSorted(list) {
			t.Errorf("%s: not sorted", name)
		}
		for _, f := range list {
			if f != strings.ToLower(f) || !inList(list, strings.ToUpper(f)) {
				t.Errorf("%s: %q is not found", name, f)
			}
		}
	}
}

// TestNoFunctionThatWrites names functions that a list of harmless ones must
// never hold, whoever completes it.
func TestNoFunctionThatWrites(t *testing.T) {
	for _, f := range []string{
		"setval", "set_config", "dblink", "dblink_exec", "lo_import", "lo_unlink", "query_to_xml", "pg_terminate_backend",
		"pg_drop_replication_slot", "pg_read_file", "pg_stat_reset", "txid_wipe", "load_extension", "writefile", "readfile",
		"edit", "eval", "sys_exec", "sys_eval", "wipe",
	} {
		for d := PostgreSQL; d <= SQLite; d++ {
			if isHarmless(f, d) {
				t.Errorf("%v: %s is taken for harmless", d, f)
			}
		}
	}
}

func TestKindNames(t *testing.T) {
	seen := map[string]bool{}
	for k := Unreadable; k <= RollbackTo; k++ {
		if name := k.String(); name == "" || seen[name] {
			t.Errorf("kind %d is named %q", k, name)
		} else {
			seen[name] = true
		}
	}
}
