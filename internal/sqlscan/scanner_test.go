package sqlscan

import (
	"strings"
	"testing"
)

// tokens spells the tokens of a text as kind letters and texts.
func tokens(text string, d Dialect, m Mode) string {
	letters := map[TokenKind]string{
		Word: "w", QuotedIdent: "q", String: "s", Number: "n", Param: "p", Var: "v", Punct: "", Illegal: "!",
	}
	var s Scanner
	s.Init(text, d, m)
	var out []string
	for {
		t := s.Scan()
		if t.Kind == EOF {
			return strings.Join(out, " ")
		}
		out = append(out, letters[t.Kind]+s.Text(t))
	}
}

func TestScan(t *testing.T) {
	for _, row := range []struct {
		name    string // what is special
		dialect Dialect
		text    string
		want    string
	}{
		{"comments nest", PostgreSQL, "a /* /* */ b */ c", "wa wc"},
		{"a slash between stars opens, then closes", PostgreSQL, "a /*/*/ b */ */ c", "wa wc"},
		{"a slash opens nothing behind the opening", PostgreSQL, "a /*/ b */ c", "wa wc"},
		{"comments nest", ClickHouse, "a /* /* */ b */ c", "wa wc"},
		{"comments do not nest", MySQL, "a /* /* */ b", "wa wb"},
		{"comments do not nest", SQLite, "a /* /* */ b", "wa wb"},
		{"an open comment is legal", SQLite, "a /* b", "wa"},
		{"an open comment of nothing is not", SQLite, "a /*", "wa !/*"},
		{"an open comment is not legal", PostgreSQL, "a /* b", "wa !/* b"},
		{"a carriage return ends a line comment", PostgreSQL, "a -- b\rc", "wa wc"},
		{"a carriage return does not", MySQL, "a -- b\rc", "wa"},
		{"two dashes are arithmetic", MySQL, "1--1", "n1 - - n1"},
		{"two dashes are a comment", SQLite, "1--1", "n1"},
		{"a control byte makes the comment", MySQL, "1--\x011", "n1"},
		{"two dashes end the text", MySQL, "1--", "n1"},
		{"a NUL ends a MySQL comment", MySQL, "a -- b\x00\nc", "wa !-- b\x00\nc"},
		{"a hash is a comment", MySQL, "a # b\nc", "wa wc"},
		{"a hash is an operator", PostgreSQL, "a # b", "wa # wb"},
		{"a hash and a space are a comment", ClickHouse, "a # b\nc", "wa wc"},
		{"a hash alone is a mark", ClickHouse, "a #1", "wa # n1"},

		{"an unconditional executable comment", MySQL, "/*! a */ b", "wa wb"},
		{"too few digits are code", MySQL, "/*!1 a */ b", "n1 wa wb"},
		{"a version that all servers run", MySQL, "/*!40101 a */ b", "wa wb"},
		{"the marker that no server runs", MySQL, "/*!99999 a */ b", "wb"},
		{"the marker of six digits", MySQL, "/*!999999 --- */b", "wb"},
		{"a comment inside an unrun one", MySQL, "/*!99999 a /* b */ c */ d", "wd"},
		{"a comment inside a run one", MySQL, "/*! a /* b */ c */ d", "wa wc wd"},
		{"an executable comment in another", MySQL, "/*! a /*! b */ c */", "wa !/*! wb wc * /"},
		{"an executable comment that never ends", MySQL, "/*! a", "wa !"},
		{"not executable elsewhere", PostgreSQL, "/*! a */ b", "wb"},

		{"a backslash is a character", PostgreSQL, `'\' a`, `s'\' wa`},
		{"a backslash escapes in E", PostgreSQL, `E'\'' a`, `sE'\'' wa`},
		{"an e within a word begins no string", PostgreSQL, `xe'\' a`, `wxe s'\' wa`},
		{"an exponent without digits begins one", PostgreSQL, `1e'\'' a`, `n1 se'\'' wa`},
		{"a doubled quote", PostgreSQL, `'a''b' c`, `s'a''b' wc`},
		{"a string goes on over a newline", PostgreSQL, "E'a' -- x\n '\\'' b", "sE'a' -- x\n '\\'' wb"},
		{"a string does not go on over a space", PostgreSQL, "'a' 'b'", "s'a' s'b'"},
		{"Unicode string", PostgreSQL, `U&'\0061' U&"\0061"`, `sU&'\0061' qU&"\0061"`},
		{"an escape belongs to its name", PostgreSQL, `U&"!0061" /*"*/ uescape '!' (`, `qU&"!0061" /*"*/ uescape '!' (`},
		{"an escape that is not read", PostgreSQL, `U&"!0061" UESCAPE E'!' (`, `!U&"!0061" UESCAPE E'!' (`},
		{"another word than UESCAPE", PostgreSQL, `U&"a" escape '!'`, `qU&"a" wescape s'!'`},
		{"bit, hexadecimal and national strings", PostgreSQL, `b'1' X'1' n'1'`, `sb'1' sX'1' sn'1'`},
		{"an empty dollar tag", PostgreSQL, "$$ ; $$ a", "s$$ ; $$ wa"},
		{"a dollar tag ends only at itself", PostgreSQL, "$a$ $$ ; $b$ $a$ c", "s$a$ $$ ; $b$ $a$ wc"},
		{"an inner tag is text", PostgreSQL, "$$ $a$ $$; b --$a$", "s$$ $a$ $$ ; wb"},
		{"a dollar continues a word", PostgreSQL, "a$b$c", "wa$b$c"},
		{"a dollar after a number opens a string", PostgreSQL, "1$x$ ; $x$", "n1 s$x$ ; $x$"},
		{"an open dollar string", PostgreSQL, "$x$ ; $y$", "!$x$ ; $y$"},
		{"a parameter", PostgreSQL, "$1+$23", "p$1 + p$23"},
		{"a no-break space is a letter", PostgreSQL, "a\u00a0b", "wa\u00a0b"},
		{"a NUL ends the text", PostgreSQL, "'a\x00' b", "!\x00' b"},
		{"an open string", PostgreSQL, "'a", "!'a"},
		{"an open identifier", PostgreSQL, `"a`, `!"a`},
		{"a question mark is an operator", PostgreSQL, "a ? 'b'", "wa ? s'b'"},

		{"a backslash escapes", MySQL, `'\'' a`, `s'\'' wa`},
		{"double quotes make a string", MySQL, `"a\"" b`, `s"a\"" wb`},
		{"a backtick has no escape", MySQL, "`a\\` b", "q`a\\` wb"},
		{"a NUL in a string", MySQL, "'a\x00b' c", "s'a\x00b' wc"},
		{"a NUL elsewhere", MySQL, "a\x00b", "wa !\x00 wb"},
		{"a word begins with a digit", MySQL, "1ea10 1e10 1e+5", "w1ea10 n1e10 n1e+5"},
		{"a hexadecimal number and a word", MySQL, "0x1F 0xZZ 0b01 0b02", "n0x1F w0xZZ n0b01 w0b02"},
		{"a column name of digits", MySQL, "a.1b .5 `a`.1", "wa . w1b n.5 q`a` . w1"},
		{"a word begins with a dollar", MySQL, "$a", "w$a"},
		{"variables", MySQL, "@a @@global.b @`c d` :=", "v@a v@@global . wb v@`c d` : ="},
		{"a national string has escapes", MySQL, `N'\'' a`, `sN'\'' wa`},
		{"a hexadecimal string has none", MySQL, `x'\' a`, `sx'\' wa`},

		{"four quotes", SQLite, "[a'] `a'` \"a'\" 'a'", "q[a'] q`a'` q\"a'\" s'a'"},
		{"a byte order mark", SQLite, "\ufeffa", "wa"},
		{"a form feed is white space, a vertical tab not", SQLite, "a\fb\vc", "wa wb !\v wc"},
		{"parameters", SQLite, "? ?1 :a @b $c::d(;)", "p? p?1 p:a p@b p$c::d(;)"},
		{"a NUL in a string ends the text", SQLite, "'a\x00'", "!\x00'"},

		{"Unicode spaces", ClickHouse, "a\u00a0b\u3000c\ufeff", "wa wb wc"},
		{"smart quotes", ClickHouse, "‘a;’ “b”", "s‘a;’ q“b”"},
		{"a heredoc", ClickHouse, "$a$ ; $a$ b", "s$a$ ; $a$ wb"},
		{"a word begins with a digit", ClickHouse, "00662_x 1_000 0xFF", "w00662_x n1_000 n0xFF"},
		{"escapes in identifiers", ClickHouse, "`a\\`b` c", "q`a\\`b` wc"},
		{"a parameter with a type", ClickHouse, "{a:UInt8}", "{ wa : wUInt8 }"},
		{"a minus sign", ClickHouse, "1 \u2212 2", "n1 \u2212 n2"},
	} {
		if got := tokens(row.text, row.dialect, row.dialect.DefaultMode()); got != row.want {
			t.Errorf("%v, %s: %q is\n\t%q, want\n\t%q", row.dialect, row.name, row.text, got, row.want)
		}
	}
}

func TestScanModes(t *testing.T) {
	for _, row := range []struct {
		name    string
		dialect Dialect
		mode    Mode
		text    string
		want    string
		matters bool
	}{
		{"ANSI_QUOTES", MySQL, ANSIQuotes | BackslashEscapes, `"a\" b`, `q"a\" wb`, true},
		{"NO_BACKSLASH_ESCAPES", MySQL, 0, `'\' a`, `s'\' wa`, true},
		{"standard_conforming_strings off", PostgreSQL, ANSIQuotes | BackslashEscapes, `'\'' a`, `s'\'' wa`, true},
		{"a backslash within", MySQL, BackslashEscapes, `'a\nb' c`, `s'a\nb' wc`, false},
		{"E has its own escapes", PostgreSQL, ANSIQuotes, `E'\''`, `sE'\''`, false},
		{"a backslash at the end", PostgreSQL, ANSIQuotes, `'\' a`, `s'\' wa`, true},
	} {
		if got := tokens(row.text, row.dialect, row.mode); got != row.want {
			t.Errorf("%s: %q is %q, want %q", row.name, row.text, got, row.want)
		}
		var s Scanner
		s.Init(row.text, row.dialect, row.mode)
		for s.Scan().Kind != EOF {
		}
		if s.modeMatters != row.matters {
			t.Errorf("%s: modeMatters of %q is %v", row.name, row.text, s.modeMatters)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		"", "SELECT 'a''b', \"c\", `d`, [e] -- f\n/* g */", "E'\\'' $$x$$ $1 ? :a @b 1e5 .5 0x1F", "/*!50000 a */ /*M! b */",
		"‘a’ \ufeff\u00a0", "'", "/*", "\x00", "1--1",
	} {
		for d := PostgreSQL; d <= ClickHouse; d++ {
			f.Add(seed, uint8(d), uint8(d.DefaultMode()))
		}
	}
	f.Fuzz(func(t *testing.T, text string, d, m uint8) {
		var s Scanner
		s.Init(text, Dialect(d%6), Mode(m&3))
		var rebuilt strings.Builder
		at := int32(0)
		for {
			tok := s.Scan()
			if tok.Pos < at || tok.End < tok.Pos || int(tok.End) > len(text) {
				t.Fatalf("token %v goes back behind %d", tok, at)
			}
			if tok.Kind != EOF && tok.Kind != Illegal && tok.Pos == tok.End {
				t.Fatalf("token %v is empty", tok)
			}
			if tok.Kind == Punct && tok.End == tok.Pos+1 && tok.Byte != text[tok.Pos] {
				t.Fatalf("token %v has another byte", tok)
			}
			rebuilt.WriteString(text[at:tok.Pos])
			rebuilt.WriteString(s.Text(tok))
			at = tok.End
			if tok.Kind == EOF {
				break
			}
		}
		if rebuilt.String() != text {
			t.Fatalf("tokens and gaps rebuild %q, not %q", rebuilt.String(), text)
		}
		if again := s.Scan(); again.Kind != EOF {
			t.Fatalf("after the end comes %v", again)
		}
	})
}

// A letter may end in a backslash or a backtick: that is asked, and then not read.
func TestLettersOfTwoBytes(t *testing.T) {
	for _, src := range []string{"SELECT '\x95\x5c', f() -- '", "SELECT \"\x95\x5c\"", "SELECT 1 AS `\x95``, f() -- `", "SELECT 1 AS \x95`, f() -- `"} {
		var x Text
		Classify(&x, src, MySQL, MySQL.DefaultMode())
		if !x.ModeMatters {
			t.Errorf("%q: the mode matters", src)
		}
		Classify(&x, src, MySQL, MySQL.DefaultMode()|WideLetters)
		if x.IsRead() || x.Ops[0].Kind != Unreadable {
			t.Errorf("%q: it can be read", src)
		}
	}
	for _, src := range []string{"SELECT E'é\\'; DELETE FROM t; --'", `SELECT 'é\' FROM t`} {
		var x Text
		Classify(&x, src, PostgreSQL, 0)
		if !x.ModeMatters || !x.IsRead() {
			t.Errorf("%q: the mode matters", src)
		}
		Classify(&x, src, PostgreSQL, WideLetters)
		if x.IsRead() || x.Ops[0].Kind != Unreadable {
			t.Errorf("%q: it can be read", src)
		}
	}
	var x Text
	Classify(&x, "SELECT 'é', '\\n', `éa` FROM t", MySQL, MySQL.DefaultMode()|WideLetters)
	if !x.IsRead() || x.ModeMatters {
		t.Error("letters alone are read")
	}
}
