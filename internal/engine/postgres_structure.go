package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A text about structure (DDL) locks the tables that it is about, and others: the other side of
// a foreign key that it drops. Tables that code behind it drops, empties or alters are locked,
// too. To tell them apart, the tables that the text does not name, nor a parent of theirs, are
// recorded beforehand with their versions: emptying or altering a table rewrites its row in
// pg_class, only locking it does not.

// noteStructure notes that the text is about structure, and which names it has.
func (st *statement) noteStructure(t *sqlscan.Text) {
	if st.changesSchema = t.Dialect == sqlscan.PostgreSQL && hasDDL(t); st.changesSchema {
		st.words = wordsOfChanges(t)
	}
}

// changeWords are words of statements that drop a table or rewrite its row in pg_class, with a
// lock of their own.
var changeWords = []string{"alter", "drop", "cluster", "partition", "reassign", "refresh", "rule", "truncate", "vacuum"}

// wordsOfChanges are the words of such statements.
func wordsOfChanges(t *sqlscan.Text) []string {
	var all, one []string
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		switch {
		case isPunct(tok, ';'):
			all, one = appendIfChange(all, one), nil
		case isName(tok):
			one = append(one, strings.Clone(nameAt(t, tok)))
		}
	}
	return appendIfChange(all, one)
}

// appendIfChange adds the words of one statement to all, if it is such a statement.
func appendIfChange(all, one []string) []string {
	if slices.ContainsFunc(one, func(word string) bool { return slices.Contains(changeWords, word) }) {
		return append(all, one...)
	}
	return all
}

// changesUnnamed reports a text that drops or alters tables without naming them: those of an
// account, an extension or a tablespace.
func (st *statement) changesUnnamed() bool {
	for i, word := range st.words[min(1, len(st.words)):] {
		switch before := st.words[i]; {
		case word == "owned" && (before == "drop" || before == "reassign"),
			word == "extension" && (before == "drop" || before == "alter"), word == "tablespace" && before == "in":
			return true
		}
	}
	return false
}

// recordUnnamed records the tables that the text does not name.
func (c *postgresCounter) recordUnnamed(ctx context.Context) error {
	if st := c.f.st; c.p.major < 0 || !st.changesSchema || st.changesUnnamed() {
		return nil
	}
	c.unnamed = map[int64]string{}
	return c.p.conn.Query(ctx, unnamedText(c.f.st), func(v []any) error {
		oid, err := asInt(v[0])
		c.unnamed[oid] = strings.Clone(AsText(v[1]))
		return err
	})
}

// unnamedText selects them, with their versions.
func unnamedText(st *statement) string {
	words, schemas := []string{"''"}, []string{"''"}
	for _, word := range st.words {
		words = append(words, quoteString(sqlscan.PostgreSQL, word))
	}
	for _, act := range st.op.Acts { // found by impliedActs
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
) SELECT c.oid::int8, ` + tableVersion + ` FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind IN ('r', 'm', 'p', 'f') AND c.relpersistence <> 't'
 AND c.oid NOT IN (SELECT oid FROM named)`
}

// tableVersion differs for c, a pg_class, once its row was rewritten or it has lost a column.
const tableVersion = `pg_catalog.concat(c.xmin, ' ', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attisdropped))`

// checkUnnamed looks for tables among the locked ones that have changed.
func (c *postgresCounter) checkUnnamed(ctx context.Context, t *postgresTotal) error {
	changed := map[int64]string{}
	var oids []string
	for _, r := range t.locked {
		if version, ok := c.unnamed[r.oid]; ok {
			changed[r.oid] = version
			oids = append(oids, strconv.FormatInt(r.oid, 10))
		}
	}
	if len(oids) == 0 {
		return nil
	}
	err := c.p.conn.Query(ctx, "SELECT c.oid::int8, "+tableVersion+" FROM pg_catalog.pg_class c WHERE c.oid IN ("+strings.Join(oids, ", ")+")", func(v []any) error {
		oid, err := asInt(v[0])
		if changed[oid] == AsText(v[1]) {
			delete(changed, oid)
		}
		return err
	})
	t.Structure = t.Structure || len(changed) > 0
	return err
}
