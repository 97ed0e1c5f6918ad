package sqlguard

import "database/sql/driver"

// capability is an interface that cannot be implemented neutrally: if a connection
// has it, database/sql behaves differently. A guarded connection has exactly those of
// the driver's.
type capability uint8

const (
	execs     capability = 1 << iota // ExecerContext or Execer: Exec does not prepare
	queries                          // QueryerContext or Queryer: Query does not prepare
	resets                           // SessionResetter: with validates, keeps a connection whose Tx was cancelled
	validates                        // Validator: likewise
)

func (b *bare) canExec() bool  { return b.execer != nil || b.oldExecer != nil }
func (b *bare) canQuery() bool { return b.queryer != nil || b.oldQueryer != nil }

func (b *bare) capabilities() (c capability) {
	if b.canExec() {
		c |= execs
	}
	if b.canQuery() {
		c |= queries
	}
	if b.resetter != nil {
		c |= resets
	}
	if b.validator != nil {
		c |= validates
	}
	return c
}

// compose makes the connection type with the capabilities of the driver's.
func compose(c *conn) driver.Conn { return connTypes[c.bare.capabilities()](c) }

// connTypes are the sixteen connection types, by capability.
var connTypes = [16]func(*conn) driver.Conn{
	0: func(c *conn) driver.Conn { return c },
	execs: func(c *conn) driver.Conn {
		return struct {
			*conn
			execer
		}{c, execer{c}}
	},
	queries: func(c *conn) driver.Conn {
		return struct {
			*conn
			queryer
		}{c, queryer{c}}
	},
	execs | queries: func(c *conn) driver.Conn {
		return struct {
			*conn
			execer
			queryer
		}{c, execer{c}, queryer{c}}
	},
	resets: func(c *conn) driver.Conn {
		return struct {
			*conn
			resetter
		}{c, resetter{c}}
	},
	execs | resets: func(c *conn) driver.Conn {
		return struct {
			*conn
			execer
			resetter
		}{c, execer{c}, resetter{c}}
	},
	queries | resets: func(c *conn) driver.Conn {
		return struct {
			*conn
			queryer
			resetter
		}{c, queryer{c}, resetter{c}}
	},
	execs | queries | resets: func(c *conn) driver.Conn {
		return struct {
			*conn
			execer
			queryer
			resetter
		}{c, execer{c}, queryer{c}, resetter{c}}
	},
	validates: func(c *conn) driver.Conn {
		return struct {
			*conn
			validator
		}{c, validator{c}}
	},
	execs | validates: func(c *conn) driver.Conn {
		return struct {
			*conn
			execer
			validator
		}{c, execer{c}, validator{c}}
	},
	queries | validates: func(c *conn) driver.Conn {
		return struct {
			*conn
			queryer
			validator
		}{c, queryer{c}, validator{c}}
	},
	execs | queries | validates: func(c *conn) driver.Conn {
		return struct {
			*conn
			execer
			queryer
			validator
		}{c, execer{c}, queryer{c}, validator{c}}
	},
	resets | validates: func(c *conn) driver.Conn {
		return struct {
			*conn
			resetter
			validator
		}{c, resetter{c}, validator{c}}
	},
	execs | resets | validates: func(c *conn) driver.Conn {
		return struct {
			*conn
			execer
			resetter
			validator
		}{c, execer{c}, resetter{c}, validator{c}}
	},
	queries | resets | validates: func(c *conn) driver.Conn {
		return struct {
			*conn
			queryer
			resetter
			validator
		}{c, queryer{c}, resetter{c}, validator{c}}
	},
	execs | queries | resets | validates: func(c *conn) driver.Conn {
		return struct {
			*conn
			execer
			queryer
			resetter
			validator
		}{c, execer{c}, queryer{c}, resetter{c}, validator{c}}
	},
}

// composeStmt makes the statement type with the capabilities of the driver's. Two
// interfaces are not neutral: with either, database/sql asks the statement and not
// the connection how to convert an argument.
func composeStmt(s *stmt) driver.Stmt {
	checker, checks := s.bare.Stmt.(driver.NamedValueChecker)
	converter, converts := s.bare.Stmt.(columnConverter)
	switch {
	case checks && converts:
		return struct {
			*stmt
			driver.NamedValueChecker
			converters
		}{s, checker, converters{converter}}
	case checks:
		return struct {
			*stmt
			driver.NamedValueChecker
		}{s, checker}
	case converts:
		return struct {
			*stmt
			converters
		}{s, converters{converter}}
	}
	return s
}
