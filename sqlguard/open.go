package sqlguard

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Open is sql.Open with a guard: the driver is one that the program imports, the DSN
// is the driver's own. Like sql.Open it may not connect yet. A nil Guard, an unknown
// driver and an invalid option are errors here. A dialect that can neither be told
// from the driver nor queried is one when the first connection is opened.
func Open(driverName, dsn string, g *dbguard.Guard, opts ...Option) (*sql.DB, error) {
	s, err := newSettings(g, opts)
	if err != nil {
		return nil, err
	}
	base, err := driverNamed(driverName, dsn)
	if err != nil {
		return nil, err
	}
	c, err := newConnectorDSN(base, dsn, s)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	c.pool.db = db
	return db, nil
}

// OpenX is Open for users of sqlx.
func OpenX(driverName, dsn string, g *dbguard.Guard, opts ...Option) (*sqlx.DB, error) {
	db, err := Open(driverName, dsn, g, opts...)
	if err != nil {
		return nil, err
	}
	return sqlx.NewDb(db, driverName), nil
}

// WrapConnector guards a connector that the program made itself, to be opened with
// sql.OpenDB. Errors in the arguments are returned by Connect, as this function
// returns none.
//
// The DSN is not known here: a missing SQLite file is noticed only after the driver
// has created it, empty, and the pool's limit (rule DG404) is not checked at all. Use
// Open where there is a DSN.
func WrapConnector(base driver.Connector, g *dbguard.Guard, opts ...Option) driver.Connector {
	s, err := newSettings(g, opts)
	switch {
	case err != nil:
	case base == nil:
		err = errors.New("sqlguard: WrapConnector of a nil driver.Connector")
	default:
		err = unguarded(base.Driver())
	}
	if err != nil {
		return refusedConnector{base, err}
	}
	return &connector{base: base, settings: s}
}

// Register registers a guarded driver with database/sql under a name of its own, for
// code that opens its database by driver name and DSN. base is the driver's value,
// for instance &sqlite.Driver{}. Unlike sql.Register it returns an error instead of
// panicking: for a nil Guard or driver, or a name that is taken.
func Register(name string, base driver.Driver, g *dbguard.Guard, opts ...Option) error {
	s, err := newSettings(g, opts)
	if err != nil {
		return err
	}
	if err := unguarded(base); err != nil {
		return err
	}
	if slices.Contains(sql.Drivers(), name) {
		return fmt.Errorf("sqlguard: Register: a driver %q is registered already: choose another name", name)
	}
	sql.Register(name, &guardedDriver{base, s})
	return nil
}

// Option configures how an adapter opens a database.
type Option func(*settings) error

// WithDialect sets the SQL dialect of a server for which it can be neither told from
// the driver's type nor queried. It also saves that query.
func WithDialect(d Dialect) Option {
	return func(s *settings) error {
		if d < PostgreSQL || d > ClickHouse {
			return fmt.Errorf("sqlguard: WithDialect(%d) is none of PostgreSQL, MySQL, SQLite and ClickHouse", d)
		}
		s.dialect = d
		return nil
	}
}

// WithGate refuses what changes anything while the gate is closed, as rule DG401, and
// reads if the gate says so. What ends a transaction passes.
func WithGate(gate *dbguard.Gate) Option {
	return func(s *settings) error {
		s.gate = gate
		return nil
	}
}

// settings are the options of an adapter.
type settings struct {
	guard   *dbguard.Guard
	gate    *dbguard.Gate // nil: open
	dialect Dialect       // 0: find out
}

func newSettings(g *dbguard.Guard, opts []Option) (settings, error) {
	s := settings{guard: g}
	if err := g.Check(); err != nil {
		return s, err
	}
	for _, o := range opts {
		if o == nil {
			return s, errors.New("sqlguard: a nil Option")
		}
		if err := o(&s); err != nil {
			return s, err
		}
	}
	return s, nil
}

// driverNamed finds a registered driver. database/sql reveals one only through a DB;
// the DSN is the real one, as a driver may refuse an empty one.
func driverNamed(name, dsn string) (driver.Driver, error) {
	db, err := sql.Open(name, dsn)
	if err != nil {
		return nil, err
	}
	base := db.Driver()
	if err := db.Close(); err != nil {
		return nil, err
	}
	return base, unguarded(base)
}

// unguarded reports a driver that cannot be guarded: nil, or one that is guarded
// already; two guards would count everything twice.
func unguarded(d driver.Driver) error {
	if d == nil {
		return errors.New("sqlguard: the driver is nil")
	}
	if _, ok := d.(*guardedDriver); ok {
		return errors.New("sqlguard: the driver is guarded already: open it with sql.Open")
	}
	return nil
}

// guardedDriver is what Register registers.
type guardedDriver struct {
	base driver.Driver
	settings
}

var (
	_ driver.Driver        = (*guardedDriver)(nil)
	_ driver.DriverContext = (*guardedDriver)(nil)
)

// Open opens a connection without a context, and so without grants. database/sql
// calls OpenConnector.
func (d *guardedDriver) Open(dsn string) (driver.Conn, error) {
	c, err := d.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return c.Connect(context.Background())
}

// OpenConnector exists even if the base driver has none, because only a connector
// gets the context with its grants. A base driver without one gets the DSN when it
// connects, as from database/sql.
func (d *guardedDriver) OpenConnector(dsn string) (driver.Connector, error) {
	c, err := newConnectorDSN(d.base, dsn, d.settings)
	if err != nil {
		return nil, err
	}
	c.shownDriver = d
	return c, nil
}
