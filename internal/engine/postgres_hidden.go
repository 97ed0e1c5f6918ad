package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// findHidden asks for the words of this database under which code hides, if there can be any.
func (p *postgres) findHidden(ctx context.Context) (*hiddenCode, error) {
	if err := p.detectServer(ctx); err != nil {
		return nil, ignoreAborted(p, err)
	}
	h := &hiddenCode{}
	if p.major < 0 {
		return h, nil // their changes could not be counted
	}
	mayHide := false
	err := p.conn.Query(ctx, mayHideText, func(v []any) error {
		mayHide = asBool(v[0])
		if len(v) > 4 {
			p.countersOff, p.operatorShadowed, p.largeObjects, p.holdCursors = asBool(v[1]), asBool(v[2]), asBool(v[3]), asBool(v[4])
		}
		return nil
	})
	if err == nil && mayHide {
		err = p.conn.Query(ctx, hiddenText, func(v []any) error {
			h.addRow(AsText(v[0]), AsText(v[1]))
			return nil
		})
	}
	switch state := sqlState(err); {
	case err == nil:
		return h, nil
	case strings.HasPrefix(state, "42"), strings.HasPrefix(state, "0A"), strings.HasPrefix(state, "XX"):
		return &hiddenCode{}, nil // not PostgreSQL, although it says so
	}
	return nil, ignoreAborted(p, err)
}

// addRow adds a row of the answer.
func (h *hiddenCode) addRow(class, word string) {
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
		for _, by := range operatorKeywords[word] {
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

// operatorKeywords are keywords that stand for an operator.
var operatorKeywords = map[string][]string{
	"=":  {"in", "using", "natural", "nullif", "case", "distinct"},
	"<>": {"in"}, "<=": {"between"}, ">=": {"between"},
	"~~": {"like"}, "!~~": {"like"}, "~~*": {"ilike"}, "!~~*": {"ilike"}, "~": {"similar"}, "!~": {"similar"},
}

// mayRunHidden looks for the words in the way the server's lexer reads them.
func (p *postgres) mayRunHidden(h *hiddenCode, t *sqlscan.Text, _ string) bool {
	ddl := hasDDL(t)
	if h.anyText || h.anyDDL && ddl || len(h.inDDL) > 0 && maintainsUnnamed(t) {
		return true
	}
	run, dot, last := sqlscan.Token{}, false, "" // the operator so far; whether a dot precedes; the name before
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		if isOperatorChar(tok) && tok.Pos == run.End && run.End > 0 {
			run.End = tok.End
			continue
		}
		if h.hasOperator(t.Source[run.Pos:run.End]) {
			return true
		}
		run = sqlscan.Token{}
		name := ""
		switch {
		case isOperatorChar(tok):
			run = tok
		case tok.Kind == sqlscan.QuotedIdent && t.Source[tok.Pos]|0x20 == 'u':
			return true // U&"…": UESCAPE may follow
		case isName(tok):
			name = nameAt(t, tok)
			if h.names[name] || dot && h.fields[name] || ddl && h.inDDL[name] {
				return true
			}
		case isPunct(tok, '(') && h.calls[last]:
			return true
		}
		dot, last = isPunct(tok, '.'), name
	}
	return h.hasOperator(t.Source[run.Pos:run.End])
}

// currentDatabase asks nothing: words are looked for whatever schema they may be in.
func (*postgres) currentDatabase(context.Context, *sqlscan.Text) (string, error) { return "", nil }

// maintainsUnnamed reports ANALYZE and REINDEX, which need not name the tables they work on.
func maintainsUnnamed(t *sqlscan.Text) bool {
	return slices.ContainsFunc(t.Ops, func(op sqlscan.Op) bool {
		how := keyword(t, &op)
		return op.Kind == sqlscan.Maintain && (how == "ANALYZE" || how == "ANALYSE" || how == "REINDEX")
	})
}

func isOperatorChar(tok sqlscan.Token) bool {
	return tok.Kind == sqlscan.Punct && strings.IndexByte("+-*/<>=~!@#%^&|`?:", tok.Byte) >= 0
}

// hasOperator reports that a run of operator characters contains one of the operators. A
// name of several characters may end in + or - only if it has one of ~!@#%^&|`?: otherwise
// those are operators of their own.
func (h *hiddenCode) hasOperator(run string) bool {
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

// runsNow is false for a cursor, whose query runs when it is fetched from, and for what cannot
// run in a transaction of the guard's. It notes the cursor. Deferred triggers run with a SET
// CONSTRAINTS in a text of several statements.
func (p *postgres) runsNow(t *sqlscan.Text, calls bool) bool {
	if !calls {
		return p.writingCursors && fetchesCursor(t) || p.deferred.any && t.Statements > 1 && containsFold(t.Source, "constraints")
	}
	declared := declaresCursor(t)
	p.writingCursors = p.writingCursors || declared
	return !runsOutsideTx(t) && (!declared || t.Statements > 1 || declaresWithHold(t))
}

// declaresCursor reports DECLARE c CURSOR.
func declaresCursor(t *sqlscan.Text) bool {
	return slices.ContainsFunc(t.Ops, func(op sqlscan.Op) bool { return op.Kind == sqlscan.Session && keyword(t, &op) == "DECLARE" })
}

// declaresWithHold reports a cursor that outlives its transaction.
func declaresWithHold(t *sqlscan.Text) bool {
	return declaresCursor(t) && containsFold(t.Source, "hold")
}

// fetchesCursor reports FETCH and MOVE, which run the query of a cursor.
func fetchesCursor(t *sqlscan.Text) bool {
	return slices.ContainsFunc(t.Ops, func(op sqlscan.Op) bool {
		how := keyword(t, &op)
		return op.Kind == sqlscan.Session && (how == "FETCH" || how == "MOVE")
	})
}

// runsOutsideTx reports a statement that the server refuses to run in a transaction block.
func runsOutsideTx(t *sqlscan.Text) bool {
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
		case word == "CONCURRENTLY" && (before == "INDEX" && n <= 4 || how == "REINDEX" || how == "ALTER"): // which may be an alias, too
			return true
		case n == 2 && (word == "DATABASE" || word == "TABLESPACE" || word == "SUBSCRIPTION" || word == "SYSTEM"):
			return true
		}
		before = word
	}
	return how == "CLUSTER" && before == how
}
