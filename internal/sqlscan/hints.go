package sqlscan

import "strings"

// hints adds what SET_VAR in optimizer hints turns off for its statement. MySQL reads hints
// directly behind the statement's first word; to MariaDB they are comments.
func (p *parser) hints() {
	text, from := p.t.Source, 0
	for {
		n := strings.Index(text[from:], "/*+")
		if n < 0 {
			return
		}
		begin := from + n
		from = begin + len("/*+")
		end := strings.Index(text[from:], "*/")
		if end < 0 {
			return
		}
		if followsHintable(text[:begin]) {
			p.hint(Span{int32(from), int32(from + end)})
		}
		from += end
	}
}

// followsHintable reports a text that ends in a word behind which hints stand.
func followsHintable(text string) bool {
	text = strings.TrimRight(text, " \t\r\n\f\v")
	for _, word := range [...]string{"delete", "update", "insert", "replace", "select"} {
		if n := len(text) - len(word); n >= 0 && equalFold(text[n:], word) {
			return true
		}
	}
	return false
}

// hint reads the body of a hint.
func (p *parser) hint(body Span) {
	var s Scanner
	s.Init(p.t.Source[:body.End], MySQL, p.t.Mode)
	s.pos = int(body.Start)
	for t := s.Scan(); t.Kind != EOF && t.Kind != Illegal; t = s.Scan() {
		if t.Kind != Word || !equalFold(s.Text(t), "set_var") {
			continue
		}
		if s.Scan().Byte != '(' {
			continue
		}
		name := s.Scan()
		s.Scan() // =
		if value := s.Scan(); turnsGuardOff(Unquote(s.Text(name)), Unquote(s.Text(value))) {
			p.t.Ops = append(p.t.Ops, Op{
				Kind: GuardOff, At: Span{t.Pos, t.End}, Object: Span{name.Pos, name.End},
				Stmt: p.stmt, Rows: -1, Limit: -1,
			})
		}
	}
}
