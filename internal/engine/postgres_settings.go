package engine

import (
	"context"
	"slices"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// refineReading takes note of a text that is not known to be a read. It may choose another
// isolation level, change search_path or the role, so that names mean other tables, or change
// the schema. Then tables are looked up again.
func (p *postgres) refineReading(_ context.Context, t *sqlscan.Text, _ Form) error {
	p.textCount++
	config := containsFold(t.Source, "set_config")
	mayChange, unknown := t.Calls || config, config && setsUnknown(t) || updatesPgSettings(t) || containsFold(t.Source, escapedName)
	for i := range t.Ops {
		switch t.Ops[i].Kind {
		case sqlscan.Begin, sqlscan.Session, sqlscan.Opaque, sqlscan.Unreadable:
			mayChange = true
		}
	}
	if hasDDL(t) {
		p.tables, p.insertTables = nil, nil
	}
	if !mayChange && !unknown {
		return nil
	}
	all := unknown || containsFold(t.Source, "reset") || containsFold(t.Source, "discard")
	if all || containsFold(t.Source, "isolation") {
		p.forgetIsolation()
	}
	changesRole := all || containsFold(t.Source, "role") || containsFold(t.Source, "authorization")
	if changesRole {
		p.tablesInDoubt = true // counting rows needs the privilege to read them
	}
	if changesRole || containsFold(t.Source, "search_path") || containsFold(t.Source, "schema") { // a path may begin with "$user"
		p.tables, p.insertTables, p.verified, p.pathChanged = nil, nil, nil, true
	}
	return nil
}

// restorePath notes that the search_path may be again what it was.
func (p *postgres) restorePath() {
	if p.pathChanged {
		p.tables, p.insertTables = nil, nil
	}
}

// updatesPgSettings reports a text that may change any setting through the view pg_settings.
func updatesPgSettings(t *sqlscan.Text) bool {
	return slices.ContainsFunc(t.Ops, func(op sqlscan.Op) bool { return op.Kind == sqlscan.Update }) && containsFold(t.Source, "pg_settings")
}

// setsUnknown reports a set_config whose first argument is not a plain literal, so that the name
// of the setting may not be in the text.
func setsUnknown(t *sqlscan.Text) bool {
	var last [3]sqlscan.Token // set_config, a parenthesis, the first token in it
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		called := isName(last[0]) && isPunct(last[1], '(')
		if called && nameAt(t, last[0]) == "set_config" {
			plain := last[2].Kind == sqlscan.String && t.Source[last[2].Pos] == '\''
			if !plain || !isPunct(tok, ',') {
				return true
			}
		}
		last = [3]sqlscan.Token{last[1], last[2], tok}
	}
	return false
}
