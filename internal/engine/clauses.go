package engine

import (
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// clauses are the positions of the parts of a simple DELETE or UPDATE in its text.
type clauses struct {
	set         int32 // SET of an UPDATE
	tail        int32 // WHERE, ORDER BY or LIMIT
	end         int32 // of everything that selects rows
	headParams  int   // parameters before tail
	params      int   // all parameters
	unsupported bool  // it has a clause that is none of these
}

func clausesOf(t *sqlscan.Text, x *target) clauses {
	c := clauses{set: -1, tail: -1, end: int32(len(t.Source))}
	depth, dot := 0, false
	for tok := range tokens(t, x.op.Object.End, int32(len(t.Source))) {
		word, part := "", dot // after a dot it is a column, even if it is spelled like a keyword
		dot = isPunct(tok, '.')
		switch {
		case tok.Kind == sqlscan.Param:
			c.params++
			if c.tail < 0 {
				c.headParams++
			}
		case tok.Kind == sqlscan.Punct:
			depth += depthChange(tok.Byte)
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
			if c.tail < 0 {
				c.tail = tok.Pos
			}
		case "RETURNING", ";":
			c.end = min(c.end, tok.Pos)
		case "PORTION", "PARTITION", "JOIN", "USING":
			c.unsupported = true
		}
	}
	if c.tail < 0 {
		c.tail = c.end
	}
	c.unsupported = c.unsupported || x.op.Kind == sqlscan.Update && c.set < 0 || hasExecutableComment(t.Source) || setsUserVariables(t.Source)
	return c
}

// isComplete reports that the text consists of these clauses, and takes just these
// arguments.
func (c *clauses) isComplete(text string, args []driver.NamedValue) bool {
	return !c.unsupported && c.params == len(args) && strings.TrimRight(text[c.end:], "; \t\r\n") == ""
}

// depthChange is by how much this byte changes the nesting of parentheses.
func depthChange(b byte) int {
	switch b {
	case '(':
		return 1
	case ')':
		return -1
	}
	return 0
}

// equalityColumns are the columns of a condition of the form a = value AND b = value;
// nil for any other condition.
func equalityColumns(f *Flight, x *target) (columns []string) {
	t := f.reading()
	state := 0 // what comes next: a column, =, a value, AND
	for tok := range tokens(t, x.op.Where.Start, x.op.Where.End) {
		text := f.callerText[tok.Pos:tok.End]
		switch {
		case state == 0 && isName(tok):
			name := nameAt(t, tok)
			if f.s.dialect == sqlscan.SQLite {
				name = fold(name)
			}
			columns = append(columns, name)
		case state == 1 && text == ".": // the name was the table's
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

// hasExecutableComment reports MySQL's executable comments: what is code in the
// caller's text may be none in a text that is assembled from its parts.
func hasExecutableComment(text string) bool {
	return strings.Contains(text, "/*!") || strings.Contains(text, "/*M!")
}

// setsUserVariables reports a text that assigns to user variables. A rollback does
// not reset them, so such a text must not be run, or its condition asked, twice.
func setsUserVariables(text string) bool { return strings.Contains(text, ":=") }

// coversKey reports that all columns of the key are among these.
func coversKey(key string, columns []string) bool {
	for name := range strings.SplitSeq(key, ",") {
		if !slices.Contains(columns, name) {
			return false
		}
	}
	return key != ""
}
