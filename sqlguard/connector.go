package sqlguard

import (
	"context"
	"database/sql/driver"
	"io"
	"sync/atomic"
	"time"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// connector opens guarded connections.
type connector struct {
	settings
	base            driver.Connector
	shownDriver     driver.Driver // what Driver returns, if not the base's
	dsn             string
	hasDSN          bool
	namespace       string
	zone            *time.Location
	detectedDialect atomic.Uint32 // the Dialect that the server reported
	fileCreated     atomic.Bool   // a grant allowed an SQLite file to be created
	pool            pool
}

var (
	_ driver.Connector = (*connector)(nil)
	_ io.Closer        = (*connector)(nil)
)

func newConnectorDSN(d driver.Driver, dsn string, s settings) (*connector, error) {
	c := &connector{settings: s, base: dsnConnector{d, dsn}, dsn: dsn, hasDSN: true}
	if s.dialect == 0 {
		c.dialect = dialectOf(d)
	}
	c.namespace, c.zone = namespace(c.dialect, dsn), zone(d, dsn)
	if dc, ok := d.(driver.DriverContext); ok {
		base, err := dc.OpenConnector(dsn)
		if err != nil {
			return nil, err
		}
		c.base = base
	}
	return c, nil
}

// Connect opens a connection of the base driver and wraps it. Errors of the base
// driver are returned as they are.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.pool.judge(ctx, c.guard); err != nil {
		return nil, err
	}
	birth, err := c.judgeFile(ctx)
	if err != nil {
		return nil, err
	}
	base, err := c.base.Connect(ctx)
	if err != nil {
		return nil, birth.failed(err)
	}
	conn, err := c.wrap(ctx, base)
	if err != nil {
		_ = base.Close() // err says why
		return nil, birth.failed(err)
	}
	return conn, birth.done()
}

// wrap puts the guard around an open connection.
func (c *connector) wrap(ctx context.Context, base driver.Conn) (driver.Conn, error) {
	b := newBare(base)
	dialect, err := c.dialectAt(ctx, b)
	if err != nil {
		return nil, err
	}
	if dialect == SQLite && !(c.hasDSN && c.dialect == SQLite) {
		if err := c.judgeOpened(ctx, b); err != nil {
			return nil, err
		}
	}
	session := engine.NewSession(sessionConn{b}, engine.Config{
		Guard: c.guard, Dialect: dialect, Namespace: c.namespace, Gate: c.gate, Zone: c.zone,
	})
	return compose(&conn{
		bare: b, session: session, guard: c.guard, observing: c.guard.Observing(),
		dialect: dialect, namespace: c.namespace,
	}), nil
}

// dialectAt is the dialect of the server behind an open connection. A server is asked
// once for all connections.
func (c *connector) dialectAt(ctx context.Context, b *bare) (Dialect, error) {
	if c.dialect != 0 {
		return c.dialect, nil
	}
	if d := dialectOf(c.base.Driver()); d != 0 {
		return d, nil
	}
	if d := Dialect(c.detectedDialect.Load()); d != 0 {
		return d, nil
	}
	d, err := askDialect(ctx, b, c.base.Driver())
	if err != nil {
		return 0, err
	}
	c.detectedDialect.Store(uint32(d))
	return d, nil
}

// Driver is the base driver: libraries tell databases apart by its type. A connection
// that its Open opens is not guarded.
func (c *connector) Driver() driver.Driver {
	if c.shownDriver != nil {
		return c.shownDriver
	}
	return c.base.Driver()
}

// Close closes the base connector if it can be closed.
func (c *connector) Close() error {
	if closer, ok := c.base.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// dsnConnector is how database/sql opens a driver without DriverContext: the DSN is
// parsed when connecting.
type dsnConnector struct {
	driver driver.Driver
	dsn    string
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c dsnConnector) Driver() driver.Driver                        { return c.driver }

// refusedConnector is a connector that could not be guarded.
type refusedConnector struct {
	base driver.Connector
	err  error
}

func (r refusedConnector) Connect(context.Context) (driver.Conn, error) { return nil, r.err }

func (r refusedConnector) Driver() driver.Driver {
	if r.base == nil {
		return nil
	}
	return r.base.Driver()
}
