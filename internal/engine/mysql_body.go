package engine

import (
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// routineBody is what a trigger, function or procedure can do, as far as its
// own text tells: the server's SQL_DATA_ACCESS is a claim that nobody checks.
type routineBody struct {
	text       string
	changes    []bodyChange
	calls      [][]string // stored functions, or what may be one
	procs      [][]string // CALL
	likeTables [][]string // CREATE TEMPORARY TABLE … LIKE: which commits if that is a sequence
	opaque     string     // why it cannot be read, or must not run in a transaction; "" if it can
}

// bodyChange is one statement of a body that adds, changes or removes rows.
type bodyChange struct {
	kind sqlscan.Kind
	name []string
}

// readBody reads a body: one statement, or BEGIN … END with control flow, which
// is cut into its statements. Each is classified by itself.
func readBody(body, sqlMode string) *routineBody {
	if strings.Contains(sqlMode, "ORACLE") {
		return &routineBody{text: body, opaque: "is written for sql_mode ORACLE"}
	}
	return readBlock(body, modeOf(sqlMode), false)
}

// readBlock is readBody of a text of the mode. values says that its parameters are
// values, and no letters that the session's character set lacks.
func readBlock(body string, mode sqlscan.Mode, values bool) *routineBody {
	b := &routineBody{text: body}
	if strings.Contains(body, "!") && sqlscan.Uncertain(body, sqlscan.MySQL, mode) {
		b.opaque = "has a comment that only some servers run"
		return b
	}
	r := bodyReader{body: b, t: sqlscan.Text{Source: body, Dialect: sqlscan.MySQL, Mode: mode}}
	for tok := range tokens(&r.t, 0, int32(len(body))) {
		r.toks = append(r.toks, tok)
		if tok.Kind == sqlscan.Illegal || tok.Kind == sqlscan.Param && !values {
			b.opaque = "cannot be read"
			return b
		}
	}
	b.calls = routinesCalled(&r.t, 0, int32(len(body)))
	for r.i < len(r.toks) && b.opaque == "" {
		r.statement()
	}
	return b
}

// bodyReader cuts a body into statements.
type bodyReader struct {
	t    sqlscan.Text
	toks []sqlscan.Token
	i    int
	body *routineBody
}

// word is the one there; not one that is a name, as behind a dot.
func (r *bodyReader) word(i int) string {
	if i >= len(r.toks) || r.toks[i].Kind != sqlscan.Word || i > 0 && r.punct(i-1, '.') {
		return ""
	}
	return strings.ToUpper(r.t.Source[r.toks[i].Pos:r.toks[i].End])
}

func (r *bodyReader) punct(i int, b byte) bool {
	return i < len(r.toks) && isPunct(r.toks[i], b)
}

// statement reads what begins here: a piece of control flow up to where the
// next statement may begin, or a statement.
func (r *bodyReader) statement() {
	if r.word(r.i) != "" && r.punct(r.i+1, ':') {
		r.i += 2 // a label, whatever word it is
		return
	}
	switch word := r.word(r.i); word {
	case "BEGIN", "LOOP", "REPEAT", "ELSE":
		r.i++
		if word == "BEGIN" && r.word(r.i) == "NOT" {
			r.i += 2 // ATOMIC
		}
	case "IF", "ELSEIF", "WHEN", "CASE":
		r.skipTo("THEN")
	case "WHILE", "FOR":
		r.skipTo("DO")
	case "DECLARE":
		r.declare()
	case "END", "UNTIL", "OPEN", "CLOSE", "GET": // which may be names
		from := r.i
		if r.skipStatement(); !r.isControlFlow(word, from+1, r.i) {
			r.body.opaque = "cannot be read"
		}
	case "RETURN", "LEAVE", "ITERATE", "SIGNAL", "RESIGNAL", "FETCH":
		r.skipStatement()
	case "":
		if r.punct(r.i, ';') {
			r.i++
			return
		}
		r.classifyStatement()
	default:
		r.classifyStatement()
	}
}

// isControlFlow reports that what stands between is what may follow the word in control flow.
// Else the word is a variable, in a condition that ends later than it seemed.
func (r *bodyReader) isControlFlow(word string, from, to int) bool {
	switch n := to - from; word {
	case "END":
		switch r.word(from) {
		case "IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR":
			n--
		case "THEN", "DO":
			return false
		}
		return n <= 1 // a label
	case "UNTIL":
		return r.word(to-2) == "END" && r.word(to-1) == "REPEAT" || r.word(to-3) == "END" && r.word(to-2) == "REPEAT"
	case "GET":
		next := r.word(from)
		return next == "DIAGNOSTICS" || next == "CURRENT" || next == "STACKED"
	case "OPEN":
		return n == 1 || r.punct(from+1, '(')
	default:
		return n == 1
	}
}

// skipTo goes behind the word that ends a condition; a CASE within it has the
// same word, and in parentheses it may be a name.
func (r *bodyReader) skipTo(end string) {
	parens, cases := 0, 0
	for r.i++; r.i < len(r.toks); r.i++ {
		switch word := r.word(r.i); {
		case r.punct(r.i, '('):
			parens++
		case r.punct(r.i, ')'):
			parens--
		case parens > 0:
		case word == "CASE":
			cases++
		case word == "END":
			cases = max(cases-1, 0)
		case word == end && cases == 0:
			if r.i++; r.word(r.i) == end { // one of them is a name, or a statement
				r.body.opaque = "cannot be read"
			}
			return
		}
	}
	r.body.opaque = "cannot be read"
}

func (r *bodyReader) skipStatement() {
	for r.i < len(r.toks) && !r.punct(r.i, ';') {
		r.i++
	}
}

// declare skips variables, conditions and cursors; a handler's statement is
// one of the body's.
func (r *bodyReader) declare() {
	if r.word(r.i+2) != "HANDLER" || r.word(r.i+3) != "FOR" { // else a name
		r.skipStatement()
		return
	}
	for r.i += 4; ; r.i++ {
		switch r.word(r.i) {
		case "NOT": // FOUND
			r.i++
		case "SQLSTATE":
			if r.i++; r.word(r.i) == "VALUE" {
				r.i++
			}
		}
		if r.i++; !r.punct(r.i, ',') {
			return
		}
	}
}

// classifyStatement classifies the statement that begins here.
func (r *bodyReader) classifyStatement() {
	from := r.toks[r.i].Pos
	r.skipStatement()
	to := int32(len(r.t.Source))
	if r.i < len(r.toks) {
		to = r.toks[r.i].Pos
	}
	var t sqlscan.Text
	sqlscan.Classify(&t, r.t.Source[from:to], sqlscan.MySQL, r.t.Mode)
	for i := range t.Ops {
		r.body.record(&t, &t.Ops[i])
	}
}

const commitsNote = "changes structure, settings or the transaction"

// record takes in what a statement does. A temporary table is the session's own:
// to make and to drop one commits nothing, but where it is a sequence.
func (b *routineBody) record(t *sqlscan.Text, op *sqlscan.Op) {
	switch op.Kind {
	case sqlscan.Read:
	case sqlscan.Session:
		if commitsImplicitly(t, op, true) { // LOCK TABLES, in a text that EXECUTE runs
			b.opaque = commitsNote
		}
	case sqlscan.Insert, sqlscan.Upsert, sqlscan.Replace, sqlscan.Update, sqlscan.Delete:
		if commitsImplicitly(t, op, true) { // CREATE TABLE … AS
			b.opaque = commitsNote
		}
		b.changes = append(b.changes, bodyChange{op.Kind, nameParts(t, op.Object)})
	case sqlscan.Opaque, sqlscan.Prepare:
		switch {
		case keyword(t, op) == "CALL" && op.Object.Start < op.Object.End:
			b.procs = append(b.procs, nameParts(t, op.Object))
		case keyword(t, op) == "DO": // an expression: its calls are known
		default:
			b.opaque = "runs code that is elsewhere"
		}
	case sqlscan.Unreadable:
		set := strings.EqualFold(firstWord(t.Source), "SET") && !containsFold(t.Source, "statement") && !containsFold(t.Source, "autocommit")
		if !set || strings.Contains(t.Source, "@@") { // else it is SET NEW.x, or a local variable
			b.opaque = "cannot be read"
		}
	default:
		if op.Kind != sqlscan.Define && op.Kind != sqlscan.Drop || op.Flags&sqlscan.Temporary == 0 || containsFold(t.Source, "sequence") {
			b.opaque = commitsNote
		}
		b.likeTables = append(b.likeTables, likeTable(t, op)...)
	}
}

// likeTable is what the table is made like, if anything.
func likeTable(t *sqlscan.Text, op *sqlscan.Op) (names [][]string) {
	like, sp := false, sqlscan.Span{}
	for tok := range tokens(t, op.Object.End, int32(len(t.Source))) {
		switch {
		case !like:
			like = strings.EqualFold(t.Source[tok.Pos:tok.End], "like")
			sp.Start = tok.End
		case isName(tok) || isPunct(tok, '.') && sp.End > 0:
			if sp.End == 0 {
				sp.Start = tok.Pos
			}
			sp.End = tok.End
		default:
			like = false
		}
	}
	if sp.End == 0 {
		return nil
	}
	return [][]string{nameParts(t, sp)}
}

func firstWord(text string) string {
	if i := strings.IndexAny(text, " \t\r\n"); i >= 0 {
		return text[:i]
	}
	return text
}

// routinesCalled are the names before a parenthesis that are no functions of the
// server's own.
func routinesCalled(t *sqlscan.Text, from, to int32) (names [][]string) {
	var start, end int32 = -1, -1 // of the name so far
	dot := false
	for tok := range tokens(t, from, to) {
		name := isName(tok)
		switch {
		case name && dot:
			end, dot = tok.End, false
		case name:
			start, end = tok.Pos, tok.End
		case start >= 0 && isPunct(tok, '.'):
			dot = true
		default:
			if start >= 0 && isPunct(tok, '(') && mayBeStored(t.Source[start:tok.Pos]) {
				names = append(names, nameParts(t, sqlscan.Span{Start: start, End: end}))
			}
			start, dot = -1, false
		}
	}
	return names
}

// mayBeStored asks the classifier, which knows the server's own functions. The name
// is as it is written, with the gap behind it.
func mayBeStored(name string) bool {
	var t sqlscan.Text
	sqlscan.Classify(&t, "SELECT "+name+"(1)", sqlscan.MySQL, sqlscan.MySQL.DefaultMode())
	return t.Calls || !t.IsRead()
}

// modeOf is how a text is read under an sql_mode.
func modeOf(sqlMode string) sqlscan.Mode {
	mode := sqlscan.MySQL.DefaultMode()
	if strings.Contains(sqlMode, "ANSI_QUOTES") {
		mode |= sqlscan.ANSIQuotes
	}
	if strings.Contains(sqlMode, "NO_BACKSLASH_ESCAPES") {
		mode &^= sqlscan.BackslashEscapes
	}
	if strings.Contains(sqlMode, "PIPES_AS_CONCAT") {
		mode |= sqlscan.PipesAsConcat
	}
	return mode
}
