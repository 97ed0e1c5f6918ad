package sqlscan

// explain reads EXPLAIN, DESCRIBE and DESC. Only ANALYZE runs the statement.
func (p *parser) explain() {
	p.next()
	run := false
	switch {
	case p.is('('):
		if p.s.dialect == PostgreSQL || p.s.dialect == MySQL {
			run = p.explainOptions()
		}
	default:
		run = p.explainWords()
	}
	switch {
	case p.failed:
	case run && !p.explainable():
		p.fail("no statement that can be read")
	case !p.explainable():
		p.query() // EXPLAIN of a table, of a connection
	case run || p.kw == kwPragma: // SQLite may run a PRAGMA while it compiles
		p.executed()
	default:
		p.noCall = p.is('(')
		_, calls := p.notExecuted()
		// To plan, MySQL materializes derived tables and evaluates constants. PostgreSQL
		// evaluates functions that are declared immutable or stable.
		p.t.Calls = p.t.Calls || calls && p.s.dialect != SQLite
	}
}

// explainOptions reads the options in parentheses. The last ANALYZE counts.
func (p *parser) explainOptions() (run bool) {
	if _, kw := p.peek(); keywords[kw].sets&sQuery != 0 {
		return false // a query in parentheses
	}
	p.next()
	for !p.failed && !p.is(')') {
		if p.atEnd() {
			p.fail("a parenthesis is not closed")
			return true
		}
		analyze := p.kw == kwAnalyze || p.kw == kwAnalyse || p.tok.Kind == QuotedIdent && p.quotedAnalyze()
		p.next()
		if analyze {
			run = p.is(',') || p.is(')') || !isOff(p.valueText())
		}
		for !p.failed && !p.atEnd() && !p.is(',') && !p.is(')') {
			p.next()
		}
		if p.is(',') {
			p.next()
		}
	}
	p.next()
	return run
}

// quotedAnalyze reports the option "analyze": PostgreSQL takes the name of an option in
// quotes, too. One with escapes, U&"…", may be it.
func (p *parser) quotedAnalyze() bool {
	text := p.s.Text(p.tok)
	return text[0] != '"' || Unquote(text) == "analyze"
}

// explainWords reads the words between EXPLAIN and the statement.
func (p *parser) explainWords() (run bool) {
	for !p.failed && !p.atEnd() {
		switch p.kw {
		case kwAnalyze, kwAnalyse:
			run = true
		case kwVerbose, kwExtended, kwPartitions, kwQuery, kwPlan, kwAst, kwSyntax, kwPipeline, kwEstimate,
			kwTree, kwCurrent:
		case kwTable:
			if p.s.dialect == ClickHouse { // DESCRIBE TABLE t; TABLE OVERRIDE f() …
				p.rest()
				return false
			}
			return run
		case kwFormat:
			if p.function() {
				return run
			}
			p.next()
			if p.is('=') {
				p.next()
			}
		default:
			// the settings of ClickHouse's EXPLAIN: indexes = 1, actions = 1
			if t, _ := p.peek(); p.s.dialect != ClickHouse || t.Kind != Punct || t.Byte != '=' {
				return run
			}
			p.next()
			p.next()
			p.next()
			if p.is(',') {
				p.next()
			}
			continue
		}
		p.next()
	}
	return run
}

// explainable reports that a statement begins here and not the name of a table.
func (p *parser) explainable() bool {
	return p.is('(') || keywords[p.kw].sets&sStatement != 0 && !p.function()
}

// function reports that the word here is a table function of ClickHouse:
// DESCRIBE format(…), DESCRIBE merge(…).
func (p *parser) function() bool {
	t, _ := p.peek()
	return p.s.dialect == ClickHouse && p.kw != kwSelect && t.Kind == Punct && t.Byte == '('
}

// analyze reads ANALYZE: statistics of a table or, in MariaDB, a statement
// that runs.
func (p *parser) analyze() {
	at := p.tok
	p.next()
	if p.s.dialect != MySQL || p.kw == kwTable || p.kw == kwTables || p.kw == kwLocal || p.kw == kwNoWriteToBinlog {
		p.add(Maintain, at)
		p.rest()
		return
	}
	if p.accept(kwFormat) {
		p.expect('=')
		p.next()
	}
	p.executed()
}
