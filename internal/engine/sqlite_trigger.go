package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// onlyInserts reports that whatever a statement on the table does to others is
// to insert, as triggers do that write a log or keep a search index: no
// foreign key changes rows along with it, and no trigger, nor a trigger of the
// tables it inserts into, does anything but insert. Then nothing that
// total_changes() counts beyond the statement's own rows was there before.
//
// It is asked in the statement's transaction: the schema is the one that held.
func (q *sqlite) onlyInserts(ctx context.Context, table string) (bool, error) {
	schemas, err := q.schemas(ctx)
	if err != nil {
		return false, err
	}
	triggers, err := q.triggers(ctx, schemas)
	if err != nil {
		return false, err
	}
	reached := []string{strings.ToLower(table)}
	seen := map[string]bool{reached[0]: true}
	for i := 0; i < len(reached); i++ {
		for _, text := range triggers[reached[i]] {
			tables, ok := insertsInto(text)
			if !ok {
				return false, nil
			}
			for _, name := range tables {
				if !seen[name] {
					seen[name] = true
					reached = append(reached, name)
				}
			}
		}
	}
	cascades, err := q.cascades(ctx, schemas, reached)
	return !cascades, err
}

// triggers are the texts of all triggers by the table that they are on.
func (q *sqlite) triggers(ctx context.Context, schemas []string) (map[string][]string, error) {
	triggers := map[string][]string{}
	for _, schema := range schemas {
		text := "SELECT lower(tbl_name), sql FROM " + quoteName(schema) + ".sqlite_master WHERE type = 'trigger'"
		err := q.conn.Query(ctx, text, func(v []any) error {
			table := asText(v[0])
			triggers[table] = append(triggers[table], asText(v[1]))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return triggers, nil
}

// cascades reports a foreign key to one of the tables that changes rows.
func (q *sqlite) cascades(ctx context.Context, schemas, tables []string) (found bool, err error) {
	names := make([]string, len(tables))
	for i, table := range tables {
		names[i] = quoteString(sqlscan.SQLite, table)
	}
	const actions = "('CASCADE', 'SET NULL', 'SET DEFAULT')"
	for _, schema := range schemas {
		text := fmt.Sprintf(`SELECT 1 FROM %s.sqlite_master m, pragma_foreign_key_list(m.name, %s) f
WHERE m.type = 'table' AND lower(f."table") IN (%s) AND (f.on_delete IN %s OR f.on_update IN %s) LIMIT 1`,
			quoteName(schema), quoteString(sqlscan.SQLite, schema), strings.Join(names, ", "), actions, actions)
		if err := q.conn.Query(ctx, text, func([]any) error { found = true; return nil }); err != nil {
			return false, err
		}
	}
	return found, nil
}

// insertsInto are the tables that a trigger inserts into; not ok, if it does
// anything else, or may.
func insertsInto(trigger string) (tables []string, ok bool) {
	whole := sqlscan.Text{Source: trigger, Dialect: sqlscan.SQLite, Mode: sqlscan.SQLite.DefaultMode()}
	begin, end := int32(-1), int32(-1)
	for tok := range tokens(&whole, 0, int32(len(trigger))) {
		if tok.Kind != sqlscan.Word {
			continue
		}
		switch word := trigger[tok.Pos:tok.End]; {
		case begin < 0 && strings.EqualFold(word, "BEGIN"):
			begin = tok.End
		case strings.EqualFold(word, "END"):
			end = tok.Pos
		}
	}
	if begin < 0 || end < begin {
		return nil, false
	}
	var body sqlscan.Text
	sqlscan.Classify(&body, trigger[begin:end], sqlscan.SQLite, sqlscan.SQLite.DefaultMode())
	for i := range body.Ops {
		op := &body.Ops[i]
		if op.Kind != sqlscan.Insert {
			return nil, false
		}
		name := nameParts(&body, op.Object)
		if len(name) == 0 {
			return nil, false
		}
		tables = append(tables, strings.ToLower(name[len(name)-1]))
	}
	return tables, body.Statements > 0
}
