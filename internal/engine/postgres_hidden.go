package engine

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// findHidden asks for the words of this database, if there can be any.
func (p *postgres) findHidden(ctx context.Context) (*hiddenCode, error) {
	if err := p.detectServer(ctx); err != nil {
		return nil, unlessAborted(p, err)
	}
	h := &hiddenCode{}
	if p.major < 0 {
		return h, nil // it could not count what they do
	}
	some := false
	err := p.conn.Query(ctx, mayHideText, func(v []any) error {
		some = asBool(v[0])
		if len(v) > 4 {
			p.blinds, p.deceives, p.objects, p.holds = asBool(v[1]), asBool(v[2]), asBool(v[3]), asBool(v[4])
		}
		return nil
	})
	if err == nil && some {
		err = p.conn.Query(ctx, hiddenText, func(v []any) error {
			h.found(asText(v[0]), asText(v[1]))
			return nil
		})
	}
	switch state := sqlState(err); {
	case err == nil:
		return h, nil
	case strings.HasPrefix(state, "42"), strings.HasPrefix(state, "0A"), strings.HasPrefix(state, "XX"):
		return &hiddenCode{}, nil // it only says that it is PostgreSQL
	}
	return nil, unlessAborted(p, err)
}

// found adds a row of the answer.
func (h *hiddenCode) found(class, word string) {
	switch class {
	case "name":
		h.add(&h.names, word)
	case "field":
		h.add(&h.fields, word)
	case "kept":
		h.add(&h.inDDL, word)
	case "call":
		if sqlscan.NoCall(word, sqlscan.PostgreSQL) {
			h.add(&h.calls, word)
		}
	case "operator":
		h.add(&h.symbols, word)
		for _, by := range written[word] {
			h.add(&h.names, by)
		}
	case "cast":
		h.add(&h.symbols, "::")
		h.add(&h.names, "cast")
		h.add(&h.names, word)
	case "all":
		h.anyText = true
	case "event":
		h.anyDDL = true
	}
}

// written are the words by which an operator is written, too.
var written = map[string][]string{
	"=":  {"in", "using", "natural", "nullif", "case", "distinct"},
	"<>": {"in"}, "<=": {"between"}, ">=": {"between"},
	"~~": {"like"}, "!~~": {"like"}, "~~*": {"ilike"}, "!~~*": {"ilike"}, "~": {"similar"}, "!~": {"similar"},
}

// mayRunHidden looks for the words as the server reads them.
func (p *postgres) mayRunHidden(h *hiddenCode, t *sqlscan.Text, _ string) bool {
	about := hasDDL(t)
	if h.anyText || h.anyDDL && about || len(h.inDDL) > 0 && sweeps(t) {
		return true
	}
	run, dot, last := sqlscan.Token{}, false, "" // the operator so far, the name before
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		if isOperator(tok) && tok.Pos == run.End && run.End > 0 {
			run.End = tok.End
			continue
		}
		if h.holds(t.Source[run.Pos:run.End]) {
			return true
		}
		run = sqlscan.Token{}
		name := ""
		switch {
		case isOperator(tok):
			run = tok
		case tok.Kind == sqlscan.QuotedIdent && t.Source[tok.Pos]|0x20 == 'u':
			return true // U&"…": its escape may be told behind it
		case isName(tok):
			name = cut(nameAt(t, tok))
			if h.names[name] || dot && h.fields[name] || about && h.inDDL[name] {
				return true
			}
		case isPunct(tok, '(') && h.calls[last]:
			return true
		}
		dot, last = isPunct(tok, '.'), name
	}
	return h.holds(t.Source[run.Pos:run.End])
}

// currentDatabase asks nothing: a word is looked for whatever schema it may be in.
func (*postgres) currentDatabase(context.Context, *sqlscan.Text) (string, error) { return "", nil }

// sweeps reports ANALYZE and REINDEX, which need not name the tables that they mean.
func sweeps(t *sqlscan.Text) bool {
	return slices.ContainsFunc(t.Ops, func(op sqlscan.Op) bool {
		how := keyword(t, &op)
		return op.Kind == sqlscan.Maintain && (how == "ANALYZE" || how == "ANALYSE" || how == "REINDEX")
	})
}

// cut shortens a name as the server does: to NAMEDATALEN - 1 bytes, in whole
// characters.
func cut(name string) string {
	const most = 63
	if len(name) <= most {
		return name
	}
	end := most
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}

func isOperator(tok sqlscan.Token) bool {
	return tok.Kind == sqlscan.Punct && strings.IndexByte("+-*/<>=~!@#%^&|`?:", tok.Byte) >= 0
}

// holds reports that the characters, which follow each other, hold one of the
// operators. More than one character ends in + or - only together with one of
// ~!@#%^&|`?: else those are operators of their own.
func (h *hiddenCode) holds(run string) bool {
	if run == "" || len(h.symbols) == 0 {
		return false
	}
	if h.symbols[run] {
		return true
	}
	if strings.Contains(run, "::") {
		return h.symbols["::"]
	}
	if strings.ContainsAny(run, "~!@#%^&|`?") {
		return false
	}
	first := strings.TrimRight(run, "+-")
	return h.symbols[first] || slices.ContainsFunc(strings.Split(run[len(first):], ""), func(one string) bool { return h.symbols[one] })
}

// runsNow says so of all but a cursor, whose query runs when it is fetched from,
// and of what cannot run in a transaction of ours. It makes a note of the cursor. What
// was put off to the COMMIT runs with a SET CONSTRAINTS that stands among others.
func (p *postgres) runsNow(t *sqlscan.Text, calls bool) bool {
	if !calls {
		return p.cursors && fetches(t) || p.later.any && t.Statements > 1 && containsFold(t.Source, "constraints")
	}
	declared := declares(t)
	p.cursors = p.cursors || declared
	return !runsAlone(t) && (!declared || t.Statements > 1 || holds(t))
}

// declares reports DECLARE c CURSOR.
func declares(t *sqlscan.Text) bool {
	return slices.ContainsFunc(t.Ops, func(op sqlscan.Op) bool { return op.Kind == sqlscan.Session && keyword(t, &op) == "DECLARE" })
}

// holds reports a cursor that outlives its transaction.
func holds(t *sqlscan.Text) bool { return declares(t) && containsFold(t.Source, "hold") }

// fetches reports FETCH and MOVE, which run the query of a cursor.
func fetches(t *sqlscan.Text) bool {
	return slices.ContainsFunc(t.Ops, func(op sqlscan.Op) bool {
		how := keyword(t, &op)
		return op.Kind == sqlscan.Session && (how == "FETCH" || how == "MOVE")
	})
}

// runsAlone reports a statement that the server does not run in a transaction.
func runsAlone(t *sqlscan.Text) bool {
	if t.Statements != 1 || !hasDDL(t) {
		return false
	}
	how, before, n := "", "", 0
	for word := range words(t, 0, int32(len(t.Source))) {
		word = strings.ToUpper(word)
		if n++; n == 1 {
			how = word
		}
		switch {
		case how == "VACUUM":
			return true
		case word == "CONCURRENTLY" && (before == "INDEX" && n <= 4 || how == "REINDEX" || how == "ALTER"): // it may be an alias, too
			return true
		case n == 2 && (word == "DATABASE" || word == "TABLESPACE" || word == "SUBSCRIPTION" || word == "SYSTEM"):
			return true
		}
		before = word
	}
	return how == "CLUSTER" && before == how
}
