package sqlscan

// TokenKind is the lexical class of a token.
type TokenKind uint8

const (
	EOF         TokenKind = iota
	Word                  // keyword or bare identifier
	QuotedIdent           // "x", `x`, [x], U&"x"
	String                // 'x', E'x', $$x$$, x'00', N'x', MySQL "x"
	Number
	Param   // ?, ?1, $1, :name, @name where the driver or server binds it
	Var     // @x, @@x of MySQL
	Punct   // one operator or punctuation mark: ( ) , ; . * = <> …
	Illegal // no server accepts it: an unterminated string, a stray byte
)

// Token is Source[Pos:End] with its class. For Punct, Byte is its first byte.
type Token struct {
	Kind     TokenKind
	Byte     byte
	Pos, End int32
}
