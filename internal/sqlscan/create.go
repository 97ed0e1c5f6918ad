package sqlscan

import "strings"

// object reads the words between CREATE, DROP or ALTER and the keyword of the
// object's class, and steps over that keyword.
func (p *parser) object() (class keyword, f Flags, materialized bool) {
	for n := 0; n < 24 && !p.atEnd(); n++ {
		switch p.kw {
		case kwTemp, kwTemporary:
			f |= Temporary
		case kwReplace:
			if p.prevKw == kwOr {
				f |= OrReplace
			}
		case kwMaterialized:
			materialized = true
		case kwIgnore:
			f |= DoNothing
		}
		if class = p.kw; keywords[class].sets&sObject != 0 {
			p.next()
			switch {
			case class == kwEvent && p.kw == kwTrigger:
				p.next()
			case class == kwUser && p.kw == kwMapping, class == kwAggregate && p.kw == kwFunction:
				continue
			}
			if class == kwTables {
				class = kwTable
			}
			return class, f, materialized
		}
		p.next()
	}
	p.fail("unknown object")
	return 0, 0, false
}

// ifExists steps over IF EXISTS, IF NOT EXISTS and IF EMPTY.
func (p *parser) ifExists() (f Flags) {
	if p.kw != kwIf {
		return 0
	}
	switch _, kw := p.peek(); kw {
	case kwExists:
		f = IfExists
	case kwNot:
		f = IfNotExists
		p.next()
	case kwEmpty:
	default:
		return 0
	}
	p.next()
	p.next()
	return f
}

// create reads CREATE.
func (p *parser) create() {
	at := p.tok
	p.next()
	class, flags, materialized := p.object()
	if p.failed {
		return
	}
	flags |= p.ifExists()
	if p.kw == kwOr && p.s.dialect == ClickHouse { // CREATE USER OR REPLACE x
		p.next()
		p.next()
	}
	switch class {
	case kwTable:
		p.createTable(at, flags)
	case kwDatabase, kwSchema:
		p.createDatabase(at, flags)
	case kwView:
		p.createView(at, flags, materialized)
	case kwIndex:
		p.createIndex(at, flags)
	case kwFunction, kwProcedure, kwTrigger, kwEvent, kwRule, kwPolicy, kwPackage:
		p.createRoutine(at, flags, class)
	case kwUser, kwRole, kwGroup, kwQuota, kwProfile, kwWorkload, kwResource, kwMapping:
		p.add(Maintain, at)
		p.rest()
	default:
		kind := Define
		if class == kwSequence && flags&OrReplace != 0 { // it also replaces a table of that name
			kind = Drop
		}
		i := p.addOn(kind, at, Span{}, flags|View)
		if class != kwOperator {
			p.t.Ops[i].Object = p.optionalName()
		}
		p.rest()
	}
}

// optionalName reads the name here, if there is one.
func (p *parser) optionalName() Span {
	if p.tok.Kind != QuotedIdent && p.tok.Kind != Word && !p.is('{') ||
		keywords[p.kw].sets&sReserved != 0 {
		return Span{}
	}
	sp := p.name()
	p.noCall = p.is('(')
	return sp
}

// createTable reads CREATE TABLE. With a query it is an Insert into a new
// table; OR REPLACE drops the one that was there.
func (p *parser) createTable(at Token, flags Flags) {
	name := p.name()
	kind := Define
	if flags&OrReplace != 0 {
		kind = Drop
	}
	i := p.addOn(kind, at, name, flags)
	if flags&Temporary != 0 {
		p.hasTemporary = true
	}
	calls := p.t.Calls
	if p.kw == kwPartition && p.s.dialect == PostgreSQL { // evaluated now
		p.rest()
		return
	}
	for !p.failed {
		p.noCall = p.is('(')
		p.walk(sAs | sSelect | sEngine)
		if flags&Temporary == 0 || p.s.dialect != PostgreSQL { // columns added later are not looked at there
			p.t.Calls = calls // defaults and constraints do not run now
		}
		switch p.kw {
		case kwAs:
			p.next()
			if p.kw == kwExecute {
				p.execute()
			} else if keywords[p.kw].sets&sQuery == 0 && !p.is('(') {
				continue // CREATE TABLE a AS b of ClickHouse
			}
		case kwEngine, kwUnion, kwConnection:
			p.engine(i)
			continue
		case kwSelect:
		default:
			return
		}
		if kind == Define && !p.failed {
			p.t.Ops[i].Kind = Insert
		}
		if !p.atEnd() {
			p.statementWith()
		}
		return
	}
}

// engine reads ENGINE = x. A table whose engine keeps rows elsewhere (MERGE,
// FEDERATED, CONNECT, …) is not temporary, even if the text says so.
func (p *parser) engine(i int) {
	p.next()
	if p.is('=') {
		p.next()
	}
	switch p.kw {
	case kwInnodb, kwMyisam, kwAria, kwMemory, kwHeap:
	default:
		if p.s.dialect == MySQL {
			p.t.Ops[i].Flags &^= Temporary
		}
	}
	if !p.atEnd() && p.tok.Kind != Punct {
		p.next()
	}
}

// tempSchema is Temporary for a name in the schema of temporary tables.
func (p *parser) tempSchema(name Span) Flags {
	if p.s.dialect != PostgreSQL && p.s.dialect != SQLite ||
		strings.IndexByte(p.s.src[name.Start:name.End], '.') < 0 {
		return 0
	}
	var s Scanner
	s.Init(p.s.src[name.Start:name.End], p.s.dialect, p.s.mode)
	t := s.Scan()
	if dot := s.Scan(); dot.Kind != Punct {
		return 0
	}
	want := "temp"
	if p.s.dialect == PostgreSQL {
		want = "pg_temp"
	}
	if equalFold(Unquote(s.Text(t)), want) {
		return Temporary
	}
	return 0
}

// createDatabase reads CREATE DATABASE and CREATE SCHEMA. MariaDB's OR REPLACE
// drops the one that was there.
func (p *parser) createDatabase(at Token, flags Flags) {
	name := Span{}
	if p.kw != kwAuthorization {
		name = p.name()
	} else {
		p.next()
		name = p.name()
	}
	if flags&OrReplace != 0 {
		p.addOn(DropDatabase, at, name, flags)
	}
	p.addOn(CreateDatabase, at, name, flags)
	p.rest()
}

// createView reads CREATE VIEW. Only a materialized view runs its query, and has rows
// to lose.
func (p *parser) createView(at Token, flags Flags, materialized bool) {
	kind := Define
	if materialized && flags&OrReplace != 0 {
		kind = Drop
	}
	p.addOn(kind, at, p.name(), flags|View)
	calls := p.t.Calls
	p.noCall = p.is('(')
	if materialized && p.s.dialect == ClickHouse {
		p.refreshes()
	}
	p.walk(sAs)
	if p.accept(kwAs) {
		p.rest()
	}
	if !materialized {
		p.t.Calls = calls
	}
}

// refreshes reads ClickHouse's REFRESH … [APPEND] TO table: without APPEND it
// replaces the table's rows, now and then on schedule.
func (p *parser) refreshes() {
	at, refresh, empties := p.tok, false, true
	for !p.failed && !p.atEnd() && p.kw != kwAs && p.kw != kwSelect && !p.is('(') {
		switch {
		case p.kw == kwRefresh:
			at, refresh = p.tok, true
		case p.tok.Kind == Word && equalFold(p.s.Text(p.tok), "append"):
			empties = false
		case p.kw == kwTo && refresh && empties:
			p.next()
			p.addOn(Truncate, at, p.name(), 0)
			return
		}
		p.next()
	}
}

// createIndex reads CREATE INDEX. The operation's object is the table.
func (p *parser) createIndex(at Token, flags Flags) {
	i := p.addOn(Define, at, Span{}, flags|View)
	calls := p.t.Calls
	p.walk(sOn)
	if p.accept(kwOn) {
		p.accept(kwOnly)
		p.t.Ops[i].Object = p.name()
	}
	if p.kw == kwUsing {
		p.next()
		p.next()
	}
	p.noCall = p.is('(')
	p.rest()
	if p.s.dialect != PostgreSQL { // PostgreSQL calls them now, and trusts whoever declared them IMMUTABLE
		p.t.Calls = calls
	}
}
