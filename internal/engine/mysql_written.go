package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// MySQL's catalogue has the bodies of routines and triggers with the escapes in their literals
// replaced by what they stand for: 'it''s' is 'it's' there (body_utf8_append_literal in its
// source), from which on what is a literal and what is code would be mistaken for each other.
// SHOW CREATE has the body as it was written, behind a header. MariaDB's catalogue escapes again.

// readStored reads the body of a routine or trigger, which the catalogue shows as body.
func (m *mysql) readStored(ctx context.Context, class string, at mysqlTable, body, sqlMode string) (*routineBody, error) {
	if m.system() == "mariadb" || !strings.ContainsAny(body, "'\"`") {
		return m.readBody(at.schema, body, sqlMode), nil
	}
	text := ""
	err := m.conn.Query(ctx, "SHOW CREATE "+class+" "+at.quoted(), func(v []any) error {
		text = strings.Clone(AsText(v[2]))
		return nil
	})
	if err != nil && fatalError(err) != nil {
		return nil, err
	}
	written := writtenBody(text, class, modeOf(sqlMode))
	if written == "" || !strings.EqualFold(firstWord(written), firstWord(body)) && !strings.ContainsAny(firstWord(body), "'\"`/#-") {
		return &routineBody{opaque: "cannot be read"}, nil
	}
	return m.readBody(at.schema, written, sqlMode), nil
}

// writtenBody is the body in the text of a CREATE; "" if it is not found.
func writtenBody(text, class string, mode sqlscan.Mode) string {
	t := &sqlscan.Text{Source: text, Dialect: sqlscan.MySQL, Mode: mode}
	if class == "TRIGGER" {
		return bodyOfTrigger(t)
	}
	parens, closed, end := 0, false, int32(0)
	for tok := range tokens(t, 0, int32(len(text))) {
		// The server writes a line for each characteristic, indented.
		if gap := text[end:tok.Pos]; closed && strings.HasPrefix(gap, "\n") && !strings.HasPrefix(gap, "\n    ") {
			return text[tok.Pos:]
		}
		switch {
		case isPunct(tok, '('):
			parens++
		case isPunct(tok, ')'):
			parens--
			closed = closed || parens == 0 // of the parameters
		}
		end = tok.End
	}
	return ""
}

// bodyOfTrigger is what follows FOR EACH ROW and another trigger's name.
func bodyOfTrigger(t *sqlscan.Text) string {
	each, skip := "", 0
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		word := strings.ToUpper(t.Source[tok.Pos:tok.End])
		switch {
		case skip > 0:
			skip--
		case each != "FOR EACH ROW ":
			if word != "FOR" && word != "EACH" && word != "ROW" {
				each = ""
				continue
			}
			each += word + " "
		case word == "FOLLOWS" || word == "PRECEDES":
			skip = 1
		default:
			return t.Source[tok.Pos:]
		}
	}
	return ""
}
