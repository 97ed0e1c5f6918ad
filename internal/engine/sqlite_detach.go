package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Data that is in no file ends with its connection, or with a text that looks like a
// setting: DETACH of a database that is in memory or in a temporary file, and PRAGMA
// temp_store, which drops all temporary tables.

// dataLossVerb is the verb of a text that may end such a database; false for any
// other text.
func dataLossVerb(t *sqlscan.Text, op *sqlscan.Op) (verb dbguard.Verb, ok bool) {
	switch keyword(t, op) {
	case "DETACH":
		return dbguard.RemoveDatabase, true
	case "PRAGMA":
		return dbguard.Unprotect, setsTempStore(nameParts(t, op.Object)) && valueOf(t, op) != ""
	}
	return 0, false
}

// judgePragmas judges the PRAGMAs of a text that is prepared.
func (s *Session) judgePragmas(ctx context.Context, text string) error {
	if !containsFold(text, "pragma") || s.guard.Check() != nil || s.guard.Observing() {
		return nil
	}
	t, err := s.read(ctx, text)
	if err != nil {
		return err
	}
	st := s.understand(t)
	acts, targets := st.op.Acts[:0], st.targets[:0]
	for i, a := range st.op.Acts {
		if a.Verb == dbguard.Unprotect {
			acts, targets = append(acts, a), append(targets, st.targets[i])
		}
	}
	st.op.Acts, st.targets = acts, targets
	if err := s.lookUp(ctx, t, st); err != nil || len(st.op.Acts) == 0 {
		return err
	}
	op, err := s.guard.Begin(ctx, st.op, s.ledger)
	if err != nil {
		return err
	}
	return op.End(dbguard.EffectApplied, nil)
}

func setsTempStore(name []string) bool {
	last := ""
	if len(name) > 0 {
		last = fold(name[len(name)-1])
	}
	return last == "temp_store" || last == "temp_store_directory"
}

// valueOf is the first token of a PRAGMA's value, "" if it has none.
func valueOf(t *sqlscan.Text, op *sqlscan.Op) string {
	given := false
	for tok := range tokens(t, op.Object.End, int32(len(t.Source))) {
		switch {
		case given:
			return strings.Trim(t.Source[tok.Pos:tok.End], "'\"[]`")
		case tok.Kind != sqlscan.Punct || tok.Byte != '=' && tok.Byte != '(':
			return ""
		}
		given = true
	}
	return ""
}

// tempStore is a value of temp_store as the number that SQLite reads.
func tempStore(value string) string {
	switch value = fold(value); {
	case value != "" && value[0] >= '0' && value[0] <= '2':
		return value[:1]
	case value == "file":
		return "1"
	case value == "memory":
		return "2"
	}
	return "0"
}

// settingLosesData is existing if the text would lose data, else temporary.
func (q *sqlite) settingLosesData(ctx context.Context, t *sqlscan.Text, x *target, args []string) (existence, error) {
	if x.keyword == "DETACH" {
		return q.detachLosesData(ctx, x, args)
	}
	name, now := x.name[len(x.name)-1], ""
	if strings.EqualFold(name, "temp_store") {
		var err error
		if now, err = askText(ctx, q.conn, "PRAGMA temp_store"); err != nil {
			return existing, err
		}
	}
	if now != "" && now == tempStore(valueOf(t, &x.op)) {
		return temporary, nil
	}
	return q.anyTables(ctx, []string{"temp"})
}

// detachLosesData looks at the database that a DETACH names, or at all that it may
// name.
func (q *sqlite) detachLosesData(ctx context.Context, x *target, args []string) (existence, error) {
	names := x.name
	if strings.ContainsRune("?:@$#", rune(x.raw[0])) {
		names = args
	}
	var fileless []string
	err := q.conn.Query(ctx, "PRAGMA database_list", func(v []any) error {
		schema := AsText(v[1])
		for _, name := range names {
			if fold(schema) == fold(name) && AsText(v[2]) == "" && schema != "main" && schema != "temp" {
				fileless = append(fileless, schema)
			}
		}
		return nil
	})
	if err != nil {
		return existing, err
	}
	return q.anyTables(ctx, fileless)
}

// anyTables is existing if one of the schemas has tables.
func (q *sqlite) anyTables(ctx context.Context, schemas []string) (existence, error) {
	open, err := q.schemas(ctx) // temp is not open until it is used: a query would open it, and fix where it is kept
	if err != nil {
		return existing, err
	}
	for _, schema := range schemas {
		if !slices.Contains(open, schema) {
			continue
		}
		n, err := askInts(ctx, q.conn, "SELECT count(*) FROM "+quoteName(schema)+".sqlite_master WHERE type = 'table'")
		if err != nil || n[0] > 0 {
			return existing, err
		}
	}
	return temporary, nil
}
