package sqlscan

import (
	"fmt"
	"strings"
	"testing"
)

var flagNames = []struct {
	flag Flags
	name string
}{
	{Returning, "returning"},
	{IfExists, "if-exists"},
	{IfNotExists, "if-not-exists"},
	{OrReplace, "or-replace"},
	{Temporary, "temporary"},
	{Cascade, "cascade"},
	{UndoneByText, "undone"},
	{DoNothing, "do-nothing"},
	{Multi, "multi"},
	{Parameterised, "parameterised"},
	{View, "view"},
	{Joined, "joined"},
}

// spell writes a reading in one line: every operation with its object, flags,
// condition, limit and rows, then what holds for the whole text.
func spell(t *Text) string {
	var out []string
	for _, op := range t.Ops {
		s := op.Kind.String()
		switch op.Path {
		case InCTE:
			s += "/cte"
		case Executed:
			s += "/run"
		case Body:
			s += "/body"
		}
		if op.Object != (Span{}) {
			s += " " + t.Name(op.Object)
		}
		for _, f := range flagNames {
			if op.Flags&f.flag != 0 {
				s += " " + f.name
			}
		}
		if op.Filter != NoFilter {
			s += " where " + t.Source[op.Where.Start:op.Where.End]
		}
		if op.Flags&HasLimit != 0 {
			s += fmt.Sprint(" limit ", op.Limit)
		}
		if op.Rows >= 0 {
			s += fmt.Sprint(" rows ", op.Rows)
		}
		out = append(out, s)
	}
	if t.IsRead() {
		out = append(out, "read")
	}
	if t.Calls {
		out = append(out, "calls")
	}
	if t.ModeMatters {
		out = append(out, "mode")
	}
	return strings.Join(out, "; ")
}

// readingRow is one row of the tables of texts and readings.
type readingRow struct {
	name    string // what is special
	dialect Dialect
	text    string
	want    string
}

func checkReadings(t *testing.T, rows []readingRow) {
	t.Helper()
	seen := map[string]bool{}
	var text Text
	for _, row := range rows {
		key := row.dialect.String() + ", " + row.name
		if seen[key] {
			t.Errorf("%s: the name is not unique", key)
		}
		seen[key] = true
		Classify(&text, row.text, row.dialect, row.dialect.DefaultMode())
		if got := spell(&text); got != row.want {
			t.Errorf("%s: %s\n\t is %s\n\twant %s (%s)", key, row.text, got, row.want, text.Why)
		}
	}
}

func TestModes(t *testing.T) {
	for _, row := range []struct {
		name    string
		dialect Dialect
		mode    Mode
		text    string
		want    string
	}{
		{"a version that MySQL 8 runs", MySQL, MySQL80, "DELETE FROM t /*!80000 WHERE id = 1 */", "Delete t where id = 1; mode"},
		{"a version that MySQL 8.0 may not run", MySQL, MySQL80, "DELETE FROM t /*!80016 WHERE id = 1 */", "Unreadable; mode"},
		{"a version that MySQL 8.4 runs", MySQL, MySQL80 | MySQL84, "DELETE FROM t /*!80016 WHERE id = 1 */", "Delete t where id = 1; mode"},
		{"a version that only later servers run", MySQL, MySQL80 | MySQL84, "DELETE FROM t /*!90500 WHERE id = 1 */", "Unreadable; mode"},
		{"a version of six digits", MySQL, MySQL80 | MySQL84, "DELETE FROM t /*!050700 WHERE id = 1 */", "Unreadable; mode"},
		{"MariaDB's own, on MySQL", MySQL, MySQL80, "DELETE FROM t WHERE id = 1 /*M! OR 1 */", "Delete t where id = 1; mode"},
		{"MariaDB's own, on MySQL, and a comment in it", MySQL, MySQL80, "DELETE FROM t /*M! /* */ WHERE id = 1", "Delete t where id = 1; mode"},
		{"double quotes name a table", MySQL, ANSIQuotes | BackslashEscapes, `DELETE FROM "t" WHERE a = 1`, "Delete t where a = 1; mode"},
		{"double quotes are a string", MySQL, BackslashEscapes, `DELETE FROM "t" WHERE a = 1`, "Unreadable; mode"},
		{"no backslash escapes", MySQL, 0, `SELECT '\'; DELETE FROM t; -- '`, "Delete t; mode"},
		{"nonconforming strings", PostgreSQL, ANSIQuotes | BackslashEscapes, `SELECT '\'; DROP TABLE t; --'`, "read; mode"},
		{"an unknown dialect", 0, 0, "SELECT 1", "Unreadable"},
		{"a dialect yet to come", 9, 0, "SELECT 1", "Unreadable"},
	} {
		var text Text
		Classify(&text, row.text, row.dialect, row.mode)
		if got := spell(&text); got != row.want {
			t.Errorf("%s: %s\n\t is %s\n\twant %s", row.name, row.text, got, row.want)
		}
	}
}

// TestReuse reads a failing text and then another into the same Text.
func TestReuse(t *testing.T) {
	var text Text
	Classify(&text, "SELECT f(1); DELETE FROM t WHERE a = 'x", PostgreSQL, ANSIQuotes)
	if text.Pos != 37 || text.Why == "" {
		t.Errorf("failed at %d: %s", text.Pos, text.Why)
	}
	Classify(&text, "SELECT 1", PostgreSQL, ANSIQuotes)
	if got := spell(&text); got != "read" || text.Pos != 0 || text.Why != "" {
		t.Errorf("a second text is %s, failed at %d: %s", got, text.Pos, text.Why)
	}
}
