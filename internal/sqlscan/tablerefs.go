package sqlscan

import "strings"

// maxTables is the largest join that MySQL allows.
const maxTables = 61

// tableRefs are the tables of a MySQL join with their aliases.
type tableRefs struct {
	list [maxTables]tableRef
	n    int
	// inner says that the last join is an inner one; joined, that an inner join has a
	// condition; listed, that tables are separated by commas.
	inner, joined, listed bool
}

// flags are the flags of an operation on a table of the join.
func (r *tableRefs) flags() Flags {
	if r.joined && !r.listed {
		return Multi | Joined
	}
	return Multi
}

type tableRef struct{ name, alias Span }

// find resolves a target: an alias, or a table's own name.
func (r *tableRefs) find(p *parser, target Span) (Span, bool) {
	for i := range r.n {
		if ref := r.list[i]; ref.alias != (Span{}) && p.sameName(ref.alias, target) {
			return ref.name, true
		}
	}
	for i := range r.n {
		if ref := r.list[i]; p.sameName(ref.name, target) || p.sameName(p.lastPart(ref.name), target) {
			return ref.name, true
		}
	}
	return Span{}, false
}

// sameName compares two names as written, without regard to case and quotes.
func (p *parser) sameName(a, b Span) bool {
	return strings.EqualFold(p.t.Name(a), p.t.Name(b))
}

// lastPart is the last part of a qualified name.
func (p *parser) lastPart(sp Span) Span {
	var s Scanner
	s.Init(p.s.src[sp.Start:sp.End], p.s.dialect, p.s.mode)
	last := Token{}
	for t := s.Scan(); t.Kind != EOF; t = s.Scan() {
		last = t
	}
	return Span{sp.Start + last.Pos, sp.Start + last.End}
}

// tableRefs reads a list of tables and joins up to the clause after it. Only
// the tables outside of derived tables are collected.
func (p *parser) tableRefs(refs *tableRefs) {
	expect, depth, outer := true, 0, false
	for !p.failed {
		switch {
		case p.atEnd() && depth > 0:
			p.fail("a parenthesis is not closed")
		case p.atEnd():
			return
		case p.is('('):
			if t, kw := p.peek(); expect && keywords[kw].sets&sQuery == 0 && t.Kind != EOF {
				depth++ // a join in parentheses
				p.next()
				continue
			}
			if !expect {
				p.callCheck()
			}
			p.paren()
			expect = false
			continue
		case p.is(')'):
			if depth--; depth < 0 {
				return
			}
		case expect && p.is('{'):
			p.next() // the word is not a table
		case p.is(','):
			expect, refs.listed = true, true
		case p.kw == kwLeft || p.kw == kwRight:
			outer = true
		case p.kw == kwJoin || p.kw == kwStraightJoin:
			refs.inner, outer, expect = !outer, false, true
			refs.joined = refs.joined || refs.inner && p.prevKw == kwNatural
		case p.kw == kwOn, p.kw == kwUsing && !expect:
			refs.joined = refs.joined || refs.inner
		case expect && (p.tok.Kind == Word || p.tok.Kind == QuotedIdent):
			expect = false
			p.addRef(refs)
			continue
		case depth == 0 && keywords[p.kw].sets&(sSet|sWhere|sOrder|sLimit|sReturning) != 0:
			return
		}
		p.next()
	}
}

// addRef reads one table and adds it.
func (p *parser) addRef(refs *tableRefs) {
	if refs.n == maxTables {
		p.fail("more tables than a join may have")
		return
	}
	refs.list[refs.n] = p.tableRef()
	refs.n++
}

// tableRef reads one table: name, PARTITION (…), alias.
func (p *parser) tableRef() (ref tableRef) {
	if p.s.dialect == MySQL && p.kw == kwLateral {
		p.next()
		return ref
	}
	ref.name = p.name()
	if p.accept(kwPartition) {
		p.paren()
	}
	named := p.accept(kwAs)
	if p.tok.Kind == QuotedIdent || p.tok.Kind == Word && (named || keywords[p.kw].sets&(sReserved|sClause) == 0) {
		ref.alias = Span{p.tok.Pos, p.tok.End}
		p.kw = 0
		p.next()
	}
	return ref
}
