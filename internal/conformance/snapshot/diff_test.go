package snapshot

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRowsAreAMultiset(t *testing.T) {
	table := func(columns []string, rows ...[]string) *Snapshot {
		return &Snapshot{Tables: map[string]Table{"t": {Columns: columns, Rows: rows}}}
	}
	ab := []string{"a", "b"}
	before := table(ab, []string{"=1", "=x"}, []string{"=1", "=x"}, []string{"=2", "NULL"})
	for name, c := range map[string]struct {
		after       *Snapshot
		lost, added int
	}{
		"nothing":                       {before, 0, 0},
		"another order":                 {table(ab, []string{"=2", "NULL"}, []string{"=1", "=x"}, []string{"=1", "=x"}), 0, 0},
		"one of two equal rows":         {table(ab, []string{"=1", "=x"}, []string{"=2", "NULL"}), 1, 0},
		"changed is lost and added":     {table(ab, []string{"=1", "=x"}, []string{"=1", "=y"}, []string{"=2", "NULL"}), 1, 1},
		"NULL is not the text NULL":     {table(ab, []string{"=1", "=x"}, []string{"=1", "=x"}, []string{"=2", "=NULL"}), 1, 1},
		"the table is gone":             {&Snapshot{}, 3, 0},
		"columns changed places":        {table([]string{"b", "a"}, []string{"=x", "=1"}, []string{"=x", "=1"}, []string{"NULL", "=2"}), 0, 0},
		"a new column is nobody's loss": {table([]string{"a", "b", "c"}, []string{"=1", "=x", "=9"}, []string{"=1", "=x", "=9"}, []string{"=2", "NULL", "=9"}), 0, 0},
		"a column lost is in every row": {table([]string{"a"}, []string{"=1"}, []string{"=1"}, []string{"=2"}), 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			d := Between(before, c.after)
			assert.Equal(t, c.lost, d.RowsHit(), d)
			assert.Equal(t, c.added, d.Added["t"], d)
		})
	}
}

func TestEscape(t *testing.T) {
	for _, c := range []struct {
		diff Diff
		want string
	}{
		{Diff{}, ""},
		{Diff{Lost: map[string]int{"t": 1}, Added: map[string]int{"t": 9}, New: []string{"table u"}}, ""},
		{Diff{Lost: map[string]int{"t": 1, "u": 1}}, "lost 1 of t, lost 1 of u"},
		{Diff{Gone: []string{"index i"}}, "gone index i"},
		{Diff{Changed: []string{"trigger g"}}, "changed trigger g"},
		{Diff{Created: []string{"schema s"}}, "created schema s"},
		{Diff{Dropped: []string{"file f"}, Lost: map[string]int{"t": 1}}, "dropped file f"},
	} {
		assert.Equal(t, c.want, c.diff.Escape(1))
	}
}
