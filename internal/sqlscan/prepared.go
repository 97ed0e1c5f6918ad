package sqlscan

import "strings"

// prepared has the statements that the text itself prepares and that only read, so
// that EXECUTE of one is known to read.
type prepared struct {
	names [4]Span
	n     int
	seen  int  // operations of the text checked so far
	other bool // one of them may have prepared something
}

// record notes what the name stands for now.
func (r *prepared) record(p *parser, name Span, read bool) {
	for i := range r.n {
		if p.sameName(r.names[i], name) {
			r.n--
			r.names[i] = r.names[r.n]
			break
		}
	}
	if read && r.n < len(r.names) {
		r.names[r.n] = name
		r.n++
	}
}

// samePrepared reports that EXECUTE b runs what PREPARE a prepared.
func (p *parser) samePrepared(a, b Span) bool {
	was, is := p.t.Name(a), p.t.Name(b)
	return was == is || p.s.dialect != PostgreSQL && lower(was) == lower(is)
}

// onlyReads reports that EXECUTE of the name certainly only reads: nothing outside of
// the text can have prepared another statement under it.
func (r *prepared) onlyReads(p *parser, name Span) bool {
	if p.t.Calls {
		return false
	}
	for ; r.seen < len(p.t.Ops)-1; r.seen++ { // up to the EXECUTE itself
		switch p.t.Ops[r.seen].Kind {
		case Read, Session, Prepare:
		default:
			r.other = true
		}
	}
	found := false
	for i := range r.n {
		found = found || p.samePrepared(r.names[i], name)
	}
	return found && !r.other
}

// literalOnlyReads reports that the text of MySQL's PREPARE or EXECUTE IMMEDIATE here
// is a literal that only reads.
func (p *parser) literalOnlyReads() bool {
	literal := p.s.Text(p.tok)
	if p.tok.Kind != String || strings.IndexByte(literal, '\\') >= 0 || literal[0] != '\'' && literal[0] != '"' {
		return false
	}
	if t, kw := p.peek(); t.Kind == String || t.Kind == Punct && t.Byte != ';' || t.Kind == Word && kw != kwUsing {
		return false
	}
	var t Text
	Classify(&t, Unquote(literal), p.s.dialect, p.s.mode)
	p.s.modeMatters = p.s.modeMatters || t.ModeMatters
	return t.IsRead() && !t.Calls && t.Statements == 1
}
