package sqlscan

// traits are the deliberate differences between the dialects, all in one place.
type traits struct {
	nestedComments   bool // /* /* */ */ is one comment
	openComment      bool // an unterminated /* runs to the end of the text and is legal
	hashComments     bool // # starts a comment to the end of the line
	hashNeedsMark    bool // … only when a space or ! follows
	dashNeedsSpace   bool // -- starts a comment only before white space, a control byte or the end
	dashEndsAtCR     bool // a carriage return ends a -- comment, too
	execComments     bool // /*! … */ is code
	nulInStrings     bool // a NUL byte may be in a quoted string; elsewhere it is never accepted
	dollarQuotes     bool // $tag$ … $tag$
	dollarNeedsMatch bool // … and any other $ begins a word
	prefixEscapes    bool // E'…' has backslash escapes, U&'…' and U&"…" have Unicode ones
	prefixStrings    bool // x'…' b'…' n'…' are one token
	nationalEscapes  bool // n'…' has the escapes of a plain string
	continuation     bool // 'a' newline 'b' is one string, in the mode of its first part
	identEscapes     bool // \ escapes in "…" and `…` identifiers
	doubleString     bool // "…" is a string unless ANSIQuotes
	brackets         bool // […] is an identifier
	digitWords       bool // a word may begin with a digit
	numberedDollar   bool // $1 is a parameter
	namedParams      bool // :a @a $a are parameters
	variables        bool // @a and @@a are variables
	smartQuotes      bool // ‘…’ is a string, “…” an identifier; Unicode spaces are white space
	byteOrderMark    bool // U+FEFF at the start of a token is white space
}

var traitsOf = [...]traits{
	PostgreSQL: {
		nestedComments: true, dashEndsAtCR: true, dollarQuotes: true, prefixEscapes: true,
		prefixStrings: true, nationalEscapes: true, continuation: true, numberedDollar: true,
	},
	MySQL: {
		hashComments: true, dashNeedsSpace: true, execComments: true, nulInStrings: true,
		prefixStrings: true, nationalEscapes: true, doubleString: true, digitWords: true, variables: true,
	},
	SQLite: {
		openComment: true, prefixStrings: true, brackets: true, namedParams: true, byteOrderMark: true,
	},
	ClickHouse: {
		nestedComments: true, hashComments: true, hashNeedsMark: true, nulInStrings: true,
		dollarQuotes: true, dollarNeedsMatch: true, identEscapes: true, digitWords: true,
		numberedDollar: true, namedParams: true, smartQuotes: true,
	},
}

// class is the first-byte class of a token; the high bit marks bytes that
// continue a word.
type class = uint8

const (
	cIllegal class = iota
	cSpace
	cPlain // an operator or mark that begins nothing longer
	cStar
	cWord
	cPrefix // a letter that may begin a prefixed string: b e n u x
	cDigit
	cQuote
	cDouble
	cBacktick
	cBracket
	cDollar
	cDash
	cSlash
	cHash
	cDot
	cColon
	cAt
	cQuestion
	cHigh // a byte of 0x80 or more that may begin white space or a quote

	classMask class = 0x7f
	wordByte  class = 0x80
)

var classesOf = [...][256]class{
	PostgreSQL: classes(PostgreSQL),
	MySQL:      classes(MySQL),
	SQLite:     classes(SQLite),
	ClickHouse: classes(ClickHouse),
}

// classes builds the byte table of a dialect, after the lexers of the four servers.
// Any other byte is illegal.
func classes(d Dialect) (t [256]class) {
	set := func(bytes string, c class) {
		for i := range len(bytes) {
			t[bytes[i]] = c
		}
	}
	set(" \t\n\f\r", cSpace)
	if d != SQLite {
		set("\v", cSpace)
	}
	set("(),;=<>+%|~&!^[]", cPlain)
	set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", cWord|wordByte)
	if traitsOf[d].prefixStrings {
		set("bnxBNX", cPrefix|wordByte)
	}
	if traitsOf[d].prefixEscapes {
		set("euEU", cPrefix|wordByte)
	}
	set("0123456789", cDigit|wordByte)
	for b := 0x80; b <= 0xff; b++ {
		t[b] = cWord | wordByte
	}
	for first, c := range map[byte]class{
		'*': cStar, '\'': cQuote, '"': cDouble, '`': cBacktick, '-': cDash, '/': cSlash,
		'.': cDot, ':': cColon, '@': cAt, '?': cQuestion, '$': cDollar | wordByte, '#': cPlain,
	} {
		t[first] = c
	}
	dialectClasses(d, set)
	return t
}

// dialectClasses sets the bytes that differ by dialect.
func dialectClasses(d Dialect, set func(bytes string, c class)) {
	switch d {
	case PostgreSQL:
		set("@`?#", cPlain)
	case MySQL:
		set("{}", cPlain)
		set("$", cWord|wordByte)
		set("#", cHash)
		set("[]", cIllegal) // quotes of sql_mode MSSQL, and nothing else
	case SQLite:
		set("[", cBracket)
		set("#", cAt) // CC_VARALPHA, too
		set("\xef", cHigh|wordByte)
	case ClickHouse:
		set("{}", cPlain)
		set("#", cHash)
		for b := 0x80; b <= 0xff; b++ {
			set(string([]byte{byte(b)}), cHigh)
		}
	}
}

// classesA0 and classesFF are MySQL's where that byte is white space.
var classesA0, classesFF = withSpace(0xa0), withSpace(0xff)

func withSpace(b byte) [256]class {
	t := classesOf[MySQL]
	t[b] = cSpace
	return t
}
