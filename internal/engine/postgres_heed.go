package engine

import (
	"context"
	"slices"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// heed takes note of a text that is not known only to read. It may choose another
// level of isolation, let names mean other tables, or become somebody else; and what it
// makes of tables is met anew.
func (p *postgres) heed(_ context.Context, t *sqlscan.Text, _ Form) error {
	p.texts++
	config := containsFold(t.Source, "set_config")
	may, some := t.Calls || config, config && setsSome(t) || updatesSettings(t)
	for i := range t.Ops {
		switch t.Ops[i].Kind {
		case sqlscan.Begin, sqlscan.Session, sqlscan.Opaque, sqlscan.Unreadable:
			may = true
		}
	}
	if structural(t) {
		p.tables, p.adding = nil, nil
	}
	if !may && !some {
		return nil
	}
	all := some || containsFold(t.Source, "reset") || containsFold(t.Source, "discard")
	if all || containsFold(t.Source, "isolation") {
		p.isolated()
	}
	becomes := all || containsFold(t.Source, "role") || containsFold(t.Source, "authorization")
	if becomes {
		p.wary = true // who may not read a table cannot count its rows
	}
	if becomes || containsFold(t.Source, "search_path") || containsFold(t.Source, "schema") { // whose path may begin with "$user"
		p.tables, p.adding, p.seen = nil, nil, nil
	}
	return nil
}

// updatesSettings reports a text that may change any setting by the view of them all.
func updatesSettings(t *sqlscan.Text) bool {
	return slices.ContainsFunc(t.Ops, func(op sqlscan.Op) bool { return op.Kind == sqlscan.Update }) && containsFold(t.Source, "pg_settings")
}

// setsSome reports a set_config of something else than a plain literal: a setting whose
// name the text may not tell.
func setsSome(t *sqlscan.Text) bool {
	var last [3]sqlscan.Token // set_config, a parenthesis, what comes first in it
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
