package engine

import (
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// routineBody is what a trigger, function or procedure can do according to its
// source: its SQL_DATA_ACCESS clause is not checked by the server.
type routineBody struct {
	text       string
	changes    []bodyChange
	calls      [][]string // stored functions, or names that may be
	procs      [][]string // CALL
	likeTables [][]string // CREATE TEMPORARY TABLE … LIKE, which commits if one is a sequence
	opaque     string     // why it cannot be read, or must not run in a transaction; "" if there is no such reason
}

// bodyChange is a statement of a body that inserts, updates or deletes rows.
type bodyChange struct {
	kind sqlscan.Kind
	name []string
}

// readBody reads a body: one statement, or a block with control flow, which is split
// into its statements. Each is classified by itself.
func readBody(body, sqlMode string) *routineBody {
	if strings.Contains(sqlMode, "ORACLE") {
		return &routineBody{text: body, opaque: "is written for sql_mode ORACLE"}
	}
	return readBlock(body, modeOf(sqlMode), false)
}

// readBlock is readBody with a known mode. values says that a ? is a parameter;
// otherwise it stands for a letter that the session's character set lacks.
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

// bodyReader splits a body into statements.
type bodyReader struct {
	t    sqlscan.Text
	toks []sqlscan.Token
	i    int
	body *routineBody
}

// word is the bare word at i, in capitals; "" if it is a name behind a dot.
func (r *bodyReader) word(i int) string {
	if i >= len(r.toks) || r.toks[i].Kind != sqlscan.Word || i > 0 && r.punct(i-1, '.') {
		return ""
	}
	return strings.ToUpper(r.t.Source[r.toks[i].Pos:r.toks[i].End])
}

func (r *bodyReader) punct(i int, b byte) bool {
	return i < len(r.toks) && isPunct(r.toks[i], b)
}

// statement reads a statement, or the part of a control flow construct before the
// next one.
func (r *bodyReader) statement() {
	if r.word(r.i) != "" && r.punct(r.i+1, ':') {
		r.i += 2 // a label, which may be any word
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
	case "END", "UNTIL", "OPEN", "CLOSE", "GET": // these may also be names
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

// isControlFlow reports that the tokens in between can follow the word in control
// flow. Otherwise the word is a variable in a condition, which ends later than
// assumed.
func (r *bodyReader) isControlFlow(word string, from, to int) bool {
	switch n := to - from; word {
	case "END":
		switch r.word(from) {
		case "IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR":
			n--
		case "THEN", "DO":
			return false
		}
		return n <= 1 // an optional label
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

// skipTo goes behind the word that ends a condition. A CASE expression in it has the
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
			if r.i++; r.word(r.i) == end { // one of the two is a name, or begins a statement
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

// declare skips variables, conditions and cursors. A handler's statement counts as
// one of the body's.
func (r *bodyReader) declare() {
	if r.word(r.i+2) != "HANDLER" || r.word(r.i+3) != "FOR" { // otherwise HANDLER is a name
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

// record adds the operation of a statement. Creating and dropping a temporary table
// does not commit, unless it is a sequence.
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
		case keyword(t, op) == "DO": // an expression: its calls are collected elsewhere
		default:
			b.opaque = "runs code that is elsewhere"
		}
	case sqlscan.Unreadable:
		set := strings.EqualFold(firstWord(t.Source), "SET") && !containsFold(t.Source, "statement") && !containsFold(t.Source, "autocommit")
		if !set || strings.Contains(t.Source, "@@") { // otherwise it sets NEW.x or a local variable
			b.opaque = "cannot be read"
		}
	default:
		if op.Kind != sqlscan.Define && op.Kind != sqlscan.Drop || op.Flags&sqlscan.Temporary == 0 || containsFold(t.Source, "sequence") {
			b.opaque = commitsNote
		}
		b.likeTables = append(b.likeTables, likeTable(t, op)...)
	}
}

// likeTable is the table behind LIKE, if there is one.
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

// routinesCalled are the names before a parenthesis, except the server's own
// functions.
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

// mayBeStored reports a name that the classifier does not know as one of the server's
// functions. It is given as written, with the white space behind it.
func mayBeStored(name string) bool {
	var t sqlscan.Text
	sqlscan.Classify(&t, "SELECT "+name+"(1)", sqlscan.MySQL, sqlscan.MySQL.DefaultMode())
	return t.Calls || !t.IsRead()
}

// modeOf is the lexer's mode for an sql_mode.
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
