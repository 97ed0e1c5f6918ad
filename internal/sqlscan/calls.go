package sqlscan

import (
	"sort"
	"strings"
)

// callCheck sets Calls if the parenthesis here belongs to a function that is not
// known to be harmless.
func (p *parser) callCheck() {
	if p.noCall {
		p.noCall = false
		return
	}
	switch p.prev.Kind {
	case Word:
		if keywords[p.prevKw].sets&sNoCall != 0 {
			return
		}
	case QuotedIdent:
	default:
		return
	}
	if p.s.dialect == ClickHouse { // its functions cannot write
		return
	}
	name := p.s.src[p.prev.Pos:p.prev.End]
	if p.prev.Kind == QuotedIdent {
		name = p.t.Name(Span{p.prev.Pos, p.prev.End})
	}
	if equalFold(name, "set_config") {
		p.setConfig()
	}
	if p.prevAfterDot && !p.catalog() || p.mayBeStored() || !isHarmless(name, p.s.dialect) {
		p.t.Calls = true
	}
}

// mayBeStored reports that the name before the parenthesis may call a stored function
// although the server has a built-in one of that name: if it is quoted or, for some
// names, followed by a space.
func (p *parser) mayBeStored() bool {
	if p.s.dialect != MySQL {
		return false
	}
	return p.prev.Kind == QuotedIdent || p.prev.End < p.tok.Pos && inList(calledWithoutSpace[:], p.s.Text(p.prev))
}

// calledWithoutSpace are the built-in functions of MySQL and MariaDB that are called
// only if the parenthesis follows at once (sql_functions in their lexers; measured on
// MariaDB 10.11).
var calledWithoutSpace = [...]string{
	"adddate", "bit_and", "bit_or", "bit_xor", "cast", "count", "cume_dist", "curdate", "curtime", "date_add", "date_sub",
	"dense_rank", "extract", "first_value", "group_concat", "json_arrayagg", "json_objectagg", "json_table", "lag", "last_value",
	"lead", "max", "median", "mid", "min", "now", "nth_value", "ntile", "percent_rank", "percentile_cont", "percentile_disc",
	"position", "rank", "row_number", "session_user", "st_collect", "std", "stddev", "stddev_pop", "stddev_samp", "subdate",
	"substr", "substrb", "substring", "sum", "sysdate", "system_user", "trim", "var_pop", "var_samp", "variance",
}

// setConfig reads the arguments of PostgreSQL's set_config, the function form of SET. A name
// that is not in the text, but a placeholder or an expression, may be that of a protection,
// unless it begins like an extension's.
func (p *parser) setConfig() {
	s, at := p.s, p.prev
	name, next, value := s.Scan(), s.Scan(), s.Scan()
	if name.Kind == Punct && name.Byte == ')' || name.Kind == Word && equalFold(s.Text(name), "text") { // REVOKE … ON FUNCTION set_config(text, …)
		return
	}
	object := Span{name.Pos, name.End}
	literal := name.Kind == String && next.Kind == Punct && strings.IndexByte(",:|", next.Byte) >= 0
	plain, decoded := "", false
	if literal {
		plain, decoded = withoutEscapes(s.Text(name)) // a plain name needs no escapes
	}
	switch {
	case !literal, next.Byte == '|' && !strings.Contains(plain, "."):
		p.addOn(GuardOff, at, object, Parameterised)
	case !decoded, next.Byte != '|' && turnsGuardOff(plain, p.settingText(next, value)):
		p.addOn(GuardOff, at, object, 0)
	}
}

// settingText is the second argument of set_config, if it is a literal behind the comma.
func (p *parser) settingText(comma, value Token) string {
	if comma.Byte != ',' || value.Kind != String {
		return ""
	}
	return Unquote(p.s.Text(value))
}

// withoutEscapes is the content of a string, if that has none that must be decoded.
func withoutEscapes(text string) (content string, ok bool) {
	switch quote := strings.IndexAny(text, "'$"); {
	case strings.ContainsAny(text, "\r\n"): // it may continue on the next line
		return "", false
	case text[0] == '$':
		return strings.Trim(text, "$"), strings.HasPrefix(text, "$$")
	case quote > 1 || quote == 1 && strings.Contains(text, `\`): // U&'…', E'…'
		return "", false
	default:
		return Unquote(text[max(quote, 0):]), true
	}
}

// catalog reports a name qualified with pg_catalog before the parenthesis.
func (p *parser) catalog() bool {
	const schema = "pg_catalog."
	i := int(p.prev.Pos) - len(schema)
	return p.s.dialect == PostgreSQL && i >= 0 && equalFold(p.s.src[i:p.prev.Pos], schema)
}

// isHarmless reports a function or type of the dialect that changes nothing.
func isHarmless(name string, d Dialect) bool {
	return inList(commonFunctions[:], name) || inList(functionsOf[d], name)
}

// NoCall reports a name before a parenthesis that does not set Calls, although a
// user's function may have that name.
func NoCall(name string, d Dialect) bool {
	return isHarmless(name, d) || keywords[lookup(name)].sets&sNoCall != 0
}

// inList finds a word in a sorted list of words in lower case.
func inList(list []string, word string) bool {
	i := sort.Search(len(list), func(i int) bool { return !lessFold(list[i], word) })
	return i < len(list) && equalFold(list[i], word)
}

// lessFold orders a word in lower case before one in any case.
func lessFold(a, b string) bool {
	for i := range min(len(a), len(b)) {
		if c := fold(b[i]); a[i] != c {
			return a[i] < c
		}
	}
	return len(a) < len(b)
}

func fold(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}
