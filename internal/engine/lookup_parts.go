package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// part is what an ALTER TABLE drops IF EXISTS.
type part struct {
	class string // "COLUMN", "CONSTRAINT", "INDEX"
	name  string
}

// parting is a backend that can tell whether a part of a table is there.
type parting interface {
	hasPart(ctx context.Context, x *target, p part) (bool, error)
}

// partsOf are what an ALTER TABLE drops if it exists; nil, if it does anything else.
func partsOf(t *sqlscan.Text, object sqlscan.Span) []part {
	var parts []part
	var words []string // of the action
	name := ""
	done := func() bool {
		class := "COLUMN"
		if len(words) > 0 && words[0] == "DROP" {
			words = words[1:]
		} else {
			return false
		}
		if len(words) > 2 {
			class = words[0]
			words = words[1:]
		}
		switch class {
		case "KEY":
			class = "INDEX"
		case "COLUMN", "CONSTRAINT", "INDEX":
		default:
			return false
		}
		if name == "" || len(words) != 2 || words[0] != "IF" || words[1] != "EXISTS" {
			return false
		}
		parts = append(parts, part{class, name})
		words, name = nil, ""
		return true
	}
	for tok := range tokens(t, object.End, int32(len(t.Source))) {
		text := strings.ToUpper(t.Source[tok.Pos:tok.End])
		exists := len(words) > 0 && words[len(words)-1] == "EXISTS"
		switch {
		case tok.Kind == sqlscan.Punct && tok.Byte == ',':
			if !done() {
				return nil
			}
		case tok.Kind == sqlscan.Punct && tok.Byte == ';':
		case exists && name == "" && (tok.Kind == sqlscan.Word || tok.Kind == sqlscan.QuotedIdent):
			name = t.Name(sqlscan.Span{Start: tok.Pos, End: tok.End})
		case tok.Kind == sqlscan.Word && exists && (text == "CASCADE" || text == "RESTRICT"):
		case tok.Kind == sqlscan.Word && name == "":
			words = append(words, text)
		default:
			return nil
		}
	}
	if !done() {
		return nil
	}
	return parts
}

// lacks reports that nothing is there of what an ALTER TABLE drops if it exists.
func (s *Session) lacks(ctx context.Context, x *target) (bool, error) {
	b, ok := s.backend.(parting)
	if !ok || len(x.parts) == 0 {
		return false, nil
	}
	for _, p := range x.parts {
		if has, err := b.hasPart(ctx, x, p); has || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (p *postgres) hasPart(ctx context.Context, x *target, of part) (has bool, err error) {
	name := quoteString(sqlscan.PostgreSQL, of.name)
	text := "SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = " + regclass(x) + " AND NOT attisdropped AND attname = " + name
	switch of.class {
	case "CONSTRAINT":
		text = "SELECT 1 FROM pg_catalog.pg_constraint WHERE conrelid = " + regclass(x) + " AND conname = " + name
	case "INDEX":
		return true, nil
	}
	if !isRegclass(x) {
		return true, nil
	}
	err = p.conn.Query(ctx, text, func([]any) error { has = true; return nil })
	return has, unlessAborted(p, err)
}

func (m *mysql) hasPart(ctx context.Context, x *target, of part) (has bool, err error) {
	name := quoteString(sqlscan.MySQL, of.name)
	text := map[string]string{
		"COLUMN":     "COLUMNS t WHERE t.COLUMN_NAME = " + name,
		"CONSTRAINT": "TABLE_CONSTRAINTS t WHERE t.CONSTRAINT_NAME = " + name,
		"INDEX":      "STATISTICS t WHERE t.INDEX_NAME = " + name,
	}[of.class]
	err = m.conn.Query(ctx, "SELECT 1 FROM information_schema."+text+" AND "+m.tableIs(x.name), func([]any) error { has = true; return nil })
	return has, err
}
