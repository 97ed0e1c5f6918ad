package sqlguard_test

import "database/sql/driver"

// connShapes has each interface present, absent, and alone; the sixteen
// combinations of those that cannot be neutral are all there.
var connShapes = map[string]connShape{
	"everything": fullShape,
	"nothing":    func(c *fakeConn) driver.Conn { return struct{ driver.Conn }{c} },

	"without Execer": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			queryCtx
			reset
			valid
			ping
			prepCtx
			beginCtx
			check
		}{c, queryCtx{c}, reset{c}, valid{c}, ping{c}, prepCtx{c}, beginCtx{c}, check{c}}
	},
	"without Queryer": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			execCtx
			reset
			valid
			ping
			prepCtx
			beginCtx
			check
		}{c, execCtx{c}, reset{c}, valid{c}, ping{c}, prepCtx{c}, beginCtx{c}, check{c}}
	},
	"without SessionResetter": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			execCtx
			queryCtx
			valid
			ping
			prepCtx
			beginCtx
			check
		}{c, execCtx{c}, queryCtx{c}, valid{c}, ping{c}, prepCtx{c}, beginCtx{c}, check{c}}
	},
	"without Validator": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			execCtx
			queryCtx
			reset
			ping
			prepCtx
			beginCtx
			check
		}{c, execCtx{c}, queryCtx{c}, reset{c}, ping{c}, prepCtx{c}, beginCtx{c}, check{c}}
	},
	"without Pinger": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			execCtx
			queryCtx
			reset
			valid
			prepCtx
			beginCtx
			check
		}{c, execCtx{c}, queryCtx{c}, reset{c}, valid{c}, prepCtx{c}, beginCtx{c}, check{c}}
	},
	"without ConnPrepareContext": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			execCtx
			queryCtx
			reset
			valid
			ping
			beginCtx
			check
		}{c, execCtx{c}, queryCtx{c}, reset{c}, valid{c}, ping{c}, beginCtx{c}, check{c}}
	},
	"without ConnBeginTx": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			execCtx
			queryCtx
			reset
			valid
			ping
			prepCtx
			check
		}{c, execCtx{c}, queryCtx{c}, reset{c}, valid{c}, ping{c}, prepCtx{c}, check{c}}
	},
	"without NamedValueChecker": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			execCtx
			queryCtx
			reset
			valid
			ping
			prepCtx
			beginCtx
		}{c, execCtx{c}, queryCtx{c}, reset{c}, valid{c}, ping{c}, prepCtx{c}, beginCtx{c}}
	},
	"of an older age": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			execOld
			queryOld
		}{c, execOld{c}, queryOld{c}}
	},
	"of an older age, checking": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			execOld
			queryOld
			check
		}{c, execOld{c}, queryOld{c}, check{c}}
	},
	"E": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			execCtx
		}{c, execCtx{c}}
	},
	"Q": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			queryCtx
		}{c, queryCtx{c}}
	},
	"EQ": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			execCtx
			queryCtx
		}{c, execCtx{c}, queryCtx{c}}
	},
	"R": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			reset
		}{c, reset{c}}
	},
	"ER": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			execCtx
			reset
		}{c, execCtx{c}, reset{c}}
	},
	"QR": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			queryCtx
			reset
		}{c, queryCtx{c}, reset{c}}
	},
	"V": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			valid
		}{c, valid{c}}
	},
	"EV": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			execCtx
			valid
		}{c, execCtx{c}, valid{c}}
	},
	"QV": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			queryCtx
			valid
		}{c, queryCtx{c}, valid{c}}
	},
	"RV": func(c *fakeConn) driver.Conn {
		return struct {
			driver.Conn
			reset
			valid
		}{c, reset{c}, valid{c}}
	},
}

func fullShape(c *fakeConn) driver.Conn {
	return struct {
		driver.Conn
		execCtx
		queryCtx
		reset
		valid
		ping
		prepCtx
		beginCtx
		check
	}{c, execCtx{c}, queryCtx{c}, reset{c}, valid{c}, ping{c}, prepCtx{c}, beginCtx{c}, check{c}}
}
