package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A text about structure locks what it is about, and more: the other side of a foreign
// key that it drops. What code behind it drops, empties or alters is locked, too. So it
// is noted beforehand which tables there are that the text does not name, nor one that
// they inherit from, and which version they are: whoever empties or alters a table writes
// its row in pg_class anew, and who only locks the table does not.

// restructures notes that the text is about structure, and what it names.
func (st *statement) restructures(t *sqlscan.Text) {
	if st.changesSchema = t.Dialect == sqlscan.PostgreSQL && hasDDL(t); st.changesSchema {
		st.words = wordsOfChange(t)
	}
}

// changing are words of statements that drop a table or write its row in pg_class anew
// under a lock of their own.
var changing = []string{"alter", "drop", "cluster", "partition", "reassign", "refresh", "rule", "truncate", "vacuum"}

// wordsOfChange are the words of such statements.
func wordsOfChange(t *sqlscan.Text) []string {
	var all, one []string
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		switch {
		case isPunct(tok, ';'):
			all, one = withChanges(all, one), nil
		case isName(tok):
			one = append(one, strings.Clone(cut(nameAt(t, tok))))
		}
	}
	return withChanges(all, one)
}

// withChanges adds the words of one statement to all, if it is such.
func withChanges(all, one []string) []string {
	if slices.ContainsFunc(one, func(word string) bool { return slices.Contains(changing, word) }) {
		return append(all, one...)
	}
	return all
}

// sweeping reports a text that drops or alters tables without their names: those of an
// account, an extension or a tablespace.
func (st *statement) sweeping() bool {
	for i, word := range st.words[min(1, len(st.words)):] {
		switch before := st.words[i]; {
		case word == "owned" && (before == "drop" || before == "reassign"),
			word == "extension" && (before == "drop" || before == "alter"), word == "tablespace" && before == "in":
			return true
		}
	}
	return false
}

// stands notes which tables there are that the text is not about.
func (c *postgresCounter) stands(ctx context.Context) error {
	if st := c.f.st; c.p.major < 0 || !st.changesSchema || st.sweeping() {
		return nil
	}
	c.apart = map[int64]string{}
	return c.p.conn.Query(ctx, apartText(c.f.st), func(v []any) error {
		oid, err := asInt(v[0])
		c.apart[oid] = strings.Clone(asText(v[1]))
		return err
	})
}

// apartText asks for them, and for the versions of their rows.
func apartText(st *statement) string {
	words, schemas := []string{"''"}, []string{"''"}
	for _, word := range st.words {
		words = append(words, quoteString(sqlscan.PostgreSQL, word))
	}
	for _, act := range st.op.Acts { // what goes along
		if act.Verb.LosesStructure() {
			words = append(words, quoteString(sqlscan.PostgreSQL, act.Object[strings.LastIndexByte(act.Object, '.')+1:]))
		}
	}
	for _, x := range st.targets {
		if x.op.Kind == sqlscan.DropDatabase && len(x.name) > 0 {
			schemas = append(schemas, quoteString(sqlscan.PostgreSQL, x.name[len(x.name)-1]))
		}
	}
	return `WITH RECURSIVE named (oid) AS (
 SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname IN (` + strings.Join(words, ", ") + `) OR n.nspname IN (` + strings.Join(schemas, ", ") + `)
 UNION SELECT i.inhrelid FROM named JOIN pg_catalog.pg_inherits i ON i.inhparent = named.oid
) SELECT c.oid::int8, ` + versionOf + ` FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind IN ('r', 'm', 'p', 'f') AND c.relpersistence <> 't'
 AND c.oid NOT IN (SELECT oid FROM named)`
}

// versionOf is another one of c, a pg_class, when its row was written anew or it has
// lost a column.
const versionOf = `pg_catalog.concat(c.xmin, ' ', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attisdropped))`

// lost finds out what became of the tables among those that are locked.
func (c *postgresCounter) lost(ctx context.Context, t *postgresTotal) error {
	left := map[int64]string{}
	var oids []string
	for _, r := range t.locked {
		if version, ok := c.apart[r.oid]; ok {
			left[r.oid] = version
			oids = append(oids, strconv.FormatInt(r.oid, 10))
		}
	}
	if len(oids) == 0 {
		return nil
	}
	err := c.p.conn.Query(ctx, "SELECT c.oid::int8, "+versionOf+" FROM pg_catalog.pg_class c WHERE c.oid IN ("+strings.Join(oids, ", ")+")", func(v []any) error {
		oid, err := asInt(v[0])
		if left[oid] == asText(v[1]) {
			delete(left, oid)
		}
		return err
	})
	t.Structure = t.Structure || len(left) > 0
	return err
}
