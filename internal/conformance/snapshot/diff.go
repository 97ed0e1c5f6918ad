package snapshot

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Diff is what has happened between two snapshots.
type Diff struct {
	// Lost counts, per table, the rows that existed before and are no longer
	// there as they were: deleted or changed. Columns that are new do not count.
	Lost map[string]int
	// Added counts the rows that were not there before, changed ones included.
	Added map[string]int
	// Gone, Changed and New name objects of the structure.
	Gone, Changed, New []string
	// Dropped and Created name databases, schemas and files; one that was
	// replaced is in both.
	Dropped, Created []string
}

// Between compares two snapshots of one database.
func Between(before, after *Snapshot) Diff {
	d := Diff{Lost: map[string]int{}, Added: map[string]int{}}
	for name, was := range before.Tables {
		lost, added := compareRows(was, after.Tables[name])
		count(d.Lost, name, lost)
		count(d.Added, name, added)
	}
	for name, is := range after.Tables {
		if _, existed := before.Tables[name]; !existed {
			count(d.Added, name, len(is.Rows))
		}
	}
	d.Gone, d.Changed, d.New = compareNames(before.Structure, after.Structure, redefined)
	dropped, replaced, created := compareNames(before.Databases, after.Databases,
		func(_, was, is string) bool { return was != is })
	d.Dropped, d.Created = append(dropped, replaced...), append(created, replaced...)
	return d
}

func count(m map[string]int, name string, n int) {
	if n > 0 {
		m[name] = n
	}
}

// compareRows compares the columns that there were, as a multiset: without a primary key
// nothing else tells rows apart, and with one it is part of the row.
func compareRows(was, is Table) (lost, added int) {
	index := make([]int, len(was.Columns))
	for i, c := range was.Columns {
		index[i] = slices.Index(is.Columns, c)
	}
	left := make(map[string]int, len(is.Rows))
	for _, row := range is.Rows {
		values := make([]string, len(index))
		for i, at := range index {
			if at >= 0 {
				values[i] = row[at] // else the column is gone, and its value from every row
			}
		}
		left[strings.Join(values, "\x1f")]++
	}
	for _, row := range was.Rows {
		key := strings.Join(row, "\x1f")
		if left[key] == 0 {
			lost++
			continue
		}
		left[key]--
	}
	return lost, len(is.Rows) - (len(was.Rows) - lost)
}

func compareNames(was, is map[string]string, differ func(name, was, is string) bool) (gone, changed, added []string) {
	for name, def := range was {
		now, there := is[name]
		switch {
		case !there:
			gone = append(gone, name)
		case differ(name, def, now):
			changed = append(changed, name)
		}
	}
	for name := range is {
		if _, was := was[name]; !was {
			added = append(added, name)
		}
	}
	slices.Sort(gone)
	slices.Sort(changed)
	slices.Sort(added)
	return gone, changed, added
}

// redefined reports whether an object is no longer what it was. SQLite keeps a
// table's text, to which ADD COLUMN appends.
func redefined(name, was, is string) bool {
	if body, ok := strings.CutSuffix(was, ")"); ok && strings.HasPrefix(name, sqliteText) {
		return was != is && !strings.HasPrefix(is, body+",")
	}
	return was != is
}

// RowsHit is the number of existing rows deleted or changed.
func (d Diff) RowsHit() (n int) {
	for _, lost := range d.Lost {
		n += lost
	}
	return n
}

// Empty reports whether nothing at all has happened.
func (d Diff) Empty() bool { return d.String() == "" }

// Escape says how the change goes beyond a bound of existing rows, for a caller without
// grants, or "" if it does not. New tables and columns are no loss; a new database is what
// DG101 is about.
func (d Diff) Escape(bound int) string {
	d.Added, d.New = nil, nil
	if d.RowsHit() <= bound {
		d.Lost = nil
	}
	return d.String()
}

// String lists the change in a fixed order, on one line.
func (d Diff) String() string {
	var parts []string
	for what, m := range map[string]map[string]int{"lost": d.Lost, "added": d.Added} {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			parts = append(parts, fmt.Sprintf("%s %d of %s", what, m[name], name))
		}
	}
	slices.Sort(parts)
	for _, list := range []struct {
		what  string
		names []string
	}{{"gone", d.Gone}, {"changed", d.Changed}, {"new", d.New}, {"dropped", d.Dropped}, {"created", d.Created}} {
		for _, name := range list.names {
			parts = append(parts, list.what+" "+name)
		}
	}
	return strings.Join(parts, ", ")
}
