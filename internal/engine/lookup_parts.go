package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// part is what an ALTER TABLE … DROP … IF EXISTS drops.
type part struct {
	class string // "COLUMN", "CONSTRAINT", "INDEX"
	name  string
}

// partFinder is a backend that can tell whether a part of a table exists.
type partFinder interface {
	hasPart(ctx context.Context, x *target, p part) (bool, error)
}

// partsOf are the parts that an ALTER TABLE drops IF EXISTS; nil if it does anything
// else.
func partsOf(t *sqlscan.Text, object sqlscan.Span) (parts []part) {
	var a alteration
	for tok := range tokens(t, object.End, int32(len(t.Source))) {
		switch {
		case tok.Kind == sqlscan.Punct && tok.Byte == ',':
			p, ok := a.dropsIfExists()
			if !ok {
				return nil
			}
			parts, a = append(parts, p), alteration{}
		case tok.Kind == sqlscan.Punct && tok.Byte == ';':
		case !a.take(t, tok):
			return nil
		}
	}
	p, ok := a.dropsIfExists()
	if !ok {
		return nil
	}
	return append(parts, p)
}

// alteration is one action of an ALTER TABLE.
type alteration struct {
	words []string // up to the name
	name  string
}

// take adds a token. It returns false if that cannot belong to a DROP … IF EXISTS.
func (a *alteration) take(t *sqlscan.Text, tok sqlscan.Token) bool {
	text := strings.ToUpper(t.Source[tok.Pos:tok.End])
	exists := len(a.words) > 0 && a.words[len(a.words)-1] == "EXISTS"
	switch {
	case exists && a.name == "" && (tok.Kind == sqlscan.Word || tok.Kind == sqlscan.QuotedIdent):
		a.name = t.Name(sqlscan.Span{Start: tok.Pos, End: tok.End})
		return true
	case tok.Kind != sqlscan.Word:
		return false
	case a.name == "":
		a.words = append(a.words, text)
		return true
	}
	return text == "CASCADE" || text == "RESTRICT"
}

// dropsIfExists is the part that the action drops IF EXISTS.
func (a *alteration) dropsIfExists() (part, bool) {
	words := strings.Join(a.words, " ")
	for _, p := range []part{{"COLUMN", ""}, {"COLUMN", "COLUMN "}, {"CONSTRAINT", "CONSTRAINT "}, {"INDEX", "INDEX "}, {"INDEX", "KEY "}} {
		if a.name != "" && words == "DROP "+p.name+"IF EXISTS" {
			return part{p.class, a.name}, true
		}
	}
	return part{}, false
}

// lacksParts reports that none of the parts exists that an ALTER TABLE drops IF
// EXISTS.
func (s *Session) lacksParts(ctx context.Context, x *target) (bool, error) {
	b, ok := s.backend.(partFinder)
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
	if !isRegclassName(x) {
		return true, nil
	}
	err = p.conn.Query(ctx, text, func([]any) error { has = true; return nil })
	return has, ignoreAborted(p, err)
}

func (m *mysql) hasPart(ctx context.Context, x *target, of part) (has bool, err error) {
	name := quoteString(sqlscan.MySQL, of.name)
	text := map[string]string{
		"COLUMN":     "COLUMNS t WHERE t.COLUMN_NAME = " + name,
		"CONSTRAINT": "TABLE_CONSTRAINTS t WHERE t.CONSTRAINT_NAME = " + name,
		"INDEX":      "STATISTICS t WHERE t.INDEX_NAME = " + name,
	}[of.class]
	err = m.conn.Query(ctx, "SELECT 1 FROM information_schema."+text+" AND "+m.tableCondition(x.name), func([]any) error { has = true; return nil })
	return has, err
}
