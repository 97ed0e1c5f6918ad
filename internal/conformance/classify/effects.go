package classify

import (
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// effects are what a classifier or parser takes a text to do, in terms common to both.
type effects struct {
	modifies bool     // it does more than read and set up its session
	rows     []string // what it does to rows: "DELETE a.b WHERE"
	rejected []string // the same, where the server rejects it after parsing
	control  []string // transaction control, in order: "BEGIN"
}

func (o *effects) row(verb, table string, where bool) {
	s := verb + " " + table
	if where {
		s += " WHERE"
	}
	o.rows = append(o.rows, s)
	o.modifies = true
}

// verbs are the kinds that act on rows and are compared one by one.
var verbs = map[sqlscan.Kind]string{
	sqlscan.Insert: "INSERT", sqlscan.Upsert: "UPSERT", sqlscan.Replace: "REPLACE", sqlscan.Update: "UPDATE",
	sqlscan.Delete: "DELETE", sqlscan.Merge: "MERGE", sqlscan.Truncate: "TRUNCATE",
}

var controls = map[sqlscan.Kind]string{
	sqlscan.Begin: "BEGIN", sqlscan.Commit: "COMMIT", sqlscan.Rollback: "ROLLBACK",
	sqlscan.Savepoint: "SAVEPOINT", sqlscan.Release: "RELEASE", sqlscan.RollbackTo: "ROLLBACK TO",
}

// ourEffects is how we classify a text.
func ourEffects(t *sqlscan.Text) effects {
	var o effects
	for _, op := range t.Ops {
		if verb, ok := verbs[op.Kind]; ok {
			o.row(verb, t.Name(op.Object), op.Filter != sqlscan.NoFilter && (op.Kind == sqlscan.Update || op.Kind == sqlscan.Delete))
			continue
		}
		if c, ok := controls[op.Kind]; ok {
			o.control = append(o.control, c)
			continue
		}
		if op.Kind != sqlscan.Read && op.Kind != sqlscan.Session && op.Kind != sqlscan.Prepare {
			o.modifies = true
		}
	}
	return o
}

// outcome is how two opinions of one text compare.
type outcome string

const (
	agree       outcome = "agree"
	missed      outcome = "missed"      // theirs modifies, ours does not: never
	different   outcome = "different"   // another kind, table or WHERE
	unreadable  outcome = "unreadable"  // they accept what we refuse to read
	overcareful outcome = "overcareful" // ours modifies, theirs does not
)

// compare compares how we classify a text with their effects.
func compare(t *sqlscan.Text, theirs effects) outcome {
	if slices.ContainsFunc(t.Ops, func(op sqlscan.Op) bool { return op.Kind == sqlscan.Unreadable }) {
		return unreadable
	}
	mine := ourEffects(t)
	switch {
	case theirs.modifies && !mine.modifies:
		return missed
	case !sameRows(mine.rows, theirs), !slices.Equal(mine.control, theirs.control):
		return different
	case mine.modifies && !theirs.modifies && len(theirs.rejected) == 0:
		return overcareful
	}
	return agree
}

// sameRows reports that both do the same to rows. What the server would reject may be
// missing or not, and a table "*" is one table or more.
func sameRows(mine []string, theirs effects) bool {
	rest := slices.Clone(mine)
	var open []string
	for _, r := range theirs.rows {
		if i := slices.Index(rest, r); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
		} else if strings.Contains(r, " *") {
			open = append(open, r)
		} else {
			return false
		}
	}
	for _, r := range theirs.rejected {
		if i := slices.Index(rest, r); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
		}
	}
	fits := func(r, pattern string) bool {
		verb, tail, _ := strings.Cut(pattern, "*")
		return strings.HasPrefix(r, verb) && strings.HasSuffix(r, tail)
	}
	for _, r := range rest {
		if !slices.ContainsFunc(open, func(o string) bool { return fits(r, o) }) {
			return false
		}
	}
	return len(rest) >= len(open)
}

// An exception is a class of texts on which we are right, or stricter.
type exception struct {
	why     string
	outcome outcome
	has     string // a piece of the text, in lower case, or of our reason
}

// excused is the exception that explains an outcome, or nil.
func excused(list []exception, o outcome, text, reason string) *exception {
	text = strings.ToLower(text)
	for i := range list {
		if e := &list[i]; e.outcome == o && (strings.Contains(text, e.has) || e.has == reason) {
			return e
		}
	}
	return nil
}
