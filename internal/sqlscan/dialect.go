package sqlscan

// Dialect is the SQL that a server speaks.
type Dialect uint8

// The dialects. The zero value is none of them.
const (
	PostgreSQL Dialect = iota + 1
	MySQL              // and MariaDB
	SQLite
	ClickHouse
)

// String is the dialect's name.
func (d Dialect) String() string {
	switch d {
	case PostgreSQL:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	case SQLite:
		return "SQLite"
	case ClickHouse:
		return "ClickHouse"
	}
	return "unknown dialect"
}

// Mode is the session state that changes how a text is read.
type Mode uint8

const (
	// ANSIQuotes makes "x" an identifier (MySQL: sql_mode ANSI_QUOTES).
	ANSIQuotes Mode = 1 << iota
	// BackslashEscapes makes \ an escape in plain strings (MySQL unless
	// NO_BACKSLASH_ESCAPES; PostgreSQL with standard_conforming_strings off).
	BackslashEscapes
	// PipesAsConcat makes || concatenation instead of OR (MySQL: sql_mode
	// PIPES_AS_CONCAT, which ANSI and ORACLE include).
	PipesAsConcat
	// WideLetters makes a backslash or a backtick the second byte of a letter, where
	// it follows a byte of 0x80 or more (MySQL: character_set_client gbk, sjis,
	// big5 and others; PostgreSQL: client_encoding). What holds one cannot be read.
	WideLetters
	// SpaceA0 and SpaceFF make that byte white space (MySQL: character_set_client
	// latin1, cp866 and others).
	SpaceA0
	SpaceFF
	// MySQL80 and MySQL84 say that the server is MySQL of at least that version. It runs
	// executable comments for versions up to its own, and none of MariaDB's.
	MySQL80
	MySQL84
)

// DefaultMode is the state in which a server of this dialect starts a session.
func (d Dialect) DefaultMode() Mode {
	switch d {
	case MySQL, ClickHouse:
		return BackslashEscapes
	default:
		return ANSIQuotes
	}
}
