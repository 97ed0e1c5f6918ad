package engine

import (
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// clauses are where the parts of a simple DELETE or UPDATE are in its text.
type clauses struct {
	set    int32 // SET of an UPDATE
	rest   int32 // WHERE, ORDER or LIMIT behind it
	end    int32 // of all that says which rows are meant
	params int   // arguments before rest
	all    int   // arguments in all
	odd    bool  // something else is there
}

func clausesOf(t *sqlscan.Text, x *target) clauses {
	c := clauses{set: -1, rest: -1, end: int32(len(t.Source))}
	depth, dot := 0, false
	for tok := range tokens(t, x.op.Object.End, int32(len(t.Source))) {
		word, part := "", dot // a column's name, whatever it is called
		dot = isPunct(tok, '.')
		switch {
		case tok.Kind == sqlscan.Param:
			c.all++
			if c.rest < 0 {
				c.params++
			}
		case tok.Kind == sqlscan.Punct:
			depth += nesting(tok.Byte)
			word = string(rune(tok.Byte))
		case tok.Kind == sqlscan.Word && depth == 0 && !part:
			word = strings.ToUpper(t.Source[tok.Pos:tok.End])
		}
		switch word {
		case "SET":
			if c.set < 0 {
				c.set = tok.Pos
			}
		case "WHERE", "ORDER", "LIMIT":
			if c.rest < 0 {
				c.rest = tok.Pos
			}
		case "RETURNING", ";":
			c.end = min(c.end, tok.Pos)
		case "PORTION", "PARTITION", "JOIN", "USING":
			c.odd = true
		}
	}
	if c.rest < 0 {
		c.rest = c.end
	}
	c.odd = c.odd || x.op.Kind == sqlscan.Update && c.set < 0 || executes(t.Source) || remembers(t.Source)
	return c
}

// cover reports that the text has nothing but these, and such arguments.
func (c *clauses) cover(text string, args []driver.NamedValue) bool {
	return !c.odd && c.all == len(args) && strings.TrimRight(text[c.end:], "; \t\r\n") == ""
}

// nesting is how much deeper in parentheses the text is behind this.
func nesting(b byte) int {
	switch b {
	case '(':
		return 1
	case ')':
		return -1
	}
	return 0
}

// equals are the columns of a condition that is made of column = value, joined by
// AND; nil, if it is not.
func equals(f *Flight, x *target) (columns []string) {
	t := f.reading()
	state := 0 // what comes next: a column, =, a value, AND
	for tok := range tokens(t, x.op.Where.Start, x.op.Where.End) {
		text := f.callers[tok.Pos:tok.End]
		switch {
		case state == 0 && isName(tok):
			name := nameAt(t, tok)
			if f.s.dialect == sqlscan.SQLite {
				name = fold(name)
			}
			columns = append(columns, name)
		case state == 1 && text == ".": // it was the table
			columns, state = columns[:len(columns)-1], 0
			continue
		case state == 1 && text == "=":
		case state == 2 && (tok.Kind == sqlscan.Param || tok.Kind == sqlscan.Number || tok.Kind == sqlscan.String && text[0] == '\''):
		case state == 3 && strings.EqualFold(text, "AND"):
		default:
			return nil
		}
		state = (state + 1) % 4
	}
	if state != 3 {
		return nil
	}
	return columns
}

// executes reports MySQL's executable comments: what one reads as code, a text
// made of pieces may not.
func executes(text string) bool {
	return strings.Contains(text, "/*!") || strings.Contains(text, "/*M!")
}

// remembers reports a text that sets variables of the session's on the way. They keep
// what they were set to when the rest is undone: it must not run, or be asked, twice.
func remembers(text string) bool { return strings.Contains(text, ":=") }

// within reports that all columns of a key are among these.
func within(key string, columns []string) bool {
	for name := range strings.SplitSeq(key, ",") {
		if !slices.Contains(columns, name) {
			return false
		}
	}
	return key != ""
}
