package sqlscan

import "slices"

// Classify reads the text and fills t: what every statement in it does. What
// cannot be read with certainty becomes an Unreadable operation, and the
// operations read before it stay.
func Classify(t *Text, text string, d Dialect, m Mode) {
	p := parser{t: t}
	p.run(text, d, m, false)
	if p.s.uncertain > 0 {
		p.bothReadings(text, d, m)
	}
	if p.s.hinted {
		p.hints()
	}
	t.ModeMatters = p.s.modeMatters && (d == MySQL || d == PostgreSQL)
	if len(t.Ops) > 1 {
		p.markTemporary()
		p.markUndone()
	}
}

// run reads the whole text. skip treats executable comments that only some servers
// run as comments.
func (p *parser) run(text string, d Dialect, m Mode, skip bool) {
	t := p.t
	if t.Ops == nil {
		t.Ops = t.inline[:0]
	}
	t.Source, t.Dialect, t.Mode = text, d, m
	t.Statements, t.Ops, t.Calls, t.Pos, t.Why = 0, t.Ops[:0], false, 0, ""
	p.s.Init(text, d, m)
	p.s.skipExec = skip
	if d == ClickHouse {
		p.stopAlways = sParallel
	}
	p.next()
	for !p.failed {
		for p.is(';') {
			p.next()
		}
		if p.tok.Kind == EOF {
			break
		}
		p.nextStatement()
	}
	if p.failed {
		p.addUnreadable()
	}
}

// nextStatement reads one statement of the text. If that fails its operations are
// removed.
func (p *parser) nextStatement() {
	begin := len(p.t.Ops)
	p.stmt, p.noCall = int32(p.t.Statements), false
	p.t.Statements++
	p.underChangedSettings(p.statement)
	for p.kw == kwParallel && p.s.dialect == ClickHouse { // a PARALLEL WITH b
		p.next()
		p.next()
		p.statement()
	}
	if !p.atEnd() {
		p.fail("unexpected text behind a statement")
	}
	if p.failed {
		p.t.Ops = p.t.Ops[:begin]
	}
}

// addUnreadable adds the operation that stands for the unreadable text.
func (p *parser) addUnreadable() {
	p.t.Statements = max(p.t.Statements, 1)
	at := Span{int32(p.t.Pos), int32(p.t.Pos)}
	p.t.Ops = append(p.t.Ops, Op{Kind: Unreadable, Stmt: p.stmt, At: at, Rows: -1, Limit: -1})
}

// bothReadings reads a text a second time, if it has an executable comment that only
// some servers run. Unless both readings agree, or do nothing but read and set, the
// text is unreadable: the server decides which one holds. So it is if the text runs
// code: the server decides which code.
func (p *parser) bothReadings(text string, d Dialect, m Mode) {
	run, calls, statements := slices.Clone(p.t.Ops), p.t.Calls, p.t.Statements
	other := parser{t: p.t}
	other.run(text, d, m, true)
	calls = calls || p.t.Calls || slices.ContainsFunc(run, func(op Op) bool { return op.Kind == Opaque || op.Kind == Prepare })
	same := statements == p.t.Statements && slices.Equal(run, p.t.Ops)
	if p.s.uncertain == 1 && !calls && (same || onlySets(text, run) && onlySets(text, p.t.Ops)) {
		p.t.Statements, p.t.Ops = max(statements, p.t.Statements), append(p.t.Ops[:0], run...)
		return
	}
	p.stmt, p.t.Ops = 0, p.t.Ops[:0]
	p.t.Pos, p.t.Why = 0, "a comment that only some servers run"
	p.addUnreadable()
}

// onlySets reports operations that only read and set variables, like those at the
// begin and end of a dump.
func onlySets(text string, ops []Op) bool {
	return !slices.ContainsFunc(ops, func(op Op) bool {
		return op.Kind != Read && (op.Kind != Session || !equalFold(text[op.At.Start:op.At.End], "set"))
	})
}
