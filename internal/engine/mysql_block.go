package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// blockOf reads a text that is one compound statement, or EXECUTE IMMEDIATE of a
// literal, like the body of a routine. It returns nil for any other text, and for a
// literal that only reads.
func blockOf(t *sqlscan.Text) *routineBody {
	if len(t.Ops) != 1 || t.Statements != 1 || t.Ops[0].Kind != sqlscan.Opaque || t.Ops[0].Path != sqlscan.Top {
		return nil
	}
	text, values := "", false
	switch op := &t.Ops[0]; keyword(t, op) {
	case "BEGIN", "IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR":
		text = t.Source
	case "EXECUTE":
		text, values = immediateText(t, op), true
	}
	if text == "" {
		return nil
	}
	b := readBlock(text, t.Mode, values)
	if showsStatus(&sqlscan.Text{Source: text, Dialect: sqlscan.MySQL, Mode: t.Mode}) {
		b.opaque = "has a SHOW STATUS, of which the server counts nothing"
	}
	return b
}

// immediateText is the text of EXECUTE IMMEDIATE, if it is a literal that reads the
// same in every sql_mode.
func immediateText(t *sqlscan.Text, op *sqlscan.Op) (text string) {
	n := 0
	for tok := range tokens(t, op.At.End, int32(len(t.Source))) {
		word := t.Source[tok.Pos:tok.End]
		switch n++; {
		case n == 1 && strings.EqualFold(word, "immediate"):
		case n == 2 && tok.Kind == sqlscan.String && strings.HasPrefix(word, "'") && !strings.Contains(word, `\`):
			text = sqlscan.Unquote(word)
		case n == 3 && (word == ";" || strings.EqualFold(word, "using")):
			return text
		default:
			return ""
		}
	}
	return text
}

// followBlock follows the changes and calls of a block. sql_mode ORACLE has another
// grammar.
func (r *mysqlReach) followBlock(ctx context.Context, b *routineBody) error {
	if b == nil {
		return nil
	}
	in, err := askText(ctx, r.c.m.conn, "SELECT CONCAT(@@sql_mode, '/', COALESCE(DATABASE(), ''))")
	if err != nil {
		return err
	}
	if err := checkCharset(in); err != nil {
		return err
	}
	mode, schema, _ := strings.Cut(in, "/")
	if strings.Contains(mode, "ORACLE") {
		r.note = "the statement is written for sql_mode ORACLE"
		return nil
	}
	return r.followBody(ctx, schema, "the statement", b)
}
