package adverse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// A server with max_prepared_stmt_count: the caller's own statements come first.
func TestTooManyPreparedStatements(t *testing.T) {
	each(t, onOnlyMySQL, func(t *testing.T, f *fixture) {
		open := 0
		db := f.openWrapped(t, func(c mysqlConn) driver.Conn { return connOfFew{c, &open} })
		for k := range 3 {
			_, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), fmt.Sprintf("DELETE FROM t WHERE id = ? AND n <> %d", k+5), k+1)
			require.NoError(t, err)
		}
		assert.Equal(t, 3, open, "these are the guard's")
		for range 3 {
			var n int
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM t WHERE id > ?", 0).Scan(&n))
			_, err := db.ExecContext(dbguard.AtMost(t.Context(), 0), "DELETE FROM t WHERE n = ? AND id > 3", 0)
			require.ErrorIs(t, err, dbguard.OverLimit)
		}
		assert.Zero(t, open)
		assert.Equal(t, 6, f.count(t, "t"))
	})
}

// openWrapped opens the database with one guarded connection, wrapped below the guard.
func (f *fixture) openWrapped(t *testing.T, wrap func(mysqlConn) driver.Conn) *sql.DB {
	t.Helper()
	cfg, err := mysql.ParseDSN(f.DSN)
	require.NoError(t, err)
	connector, err := mysql.NewConnector(cfg)
	require.NoError(t, err)
	guard, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	db := sql.OpenDB(sqlguard.WrapConnector(wrapping{connector, wrap}, guard))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

type wrapping struct {
	driver.Connector
	wrap func(mysqlConn) driver.Conn
}

func (w wrapping) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := w.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return w.wrap(c.(mysqlConn)), nil
}

type mysqlConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
}

// connOfFew is a connection of a server that has at most three prepared statements.
type connOfFew struct {
	mysqlConn
	open *int
}

type mysqlStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
	driver.NamedValueChecker
}

type oneOfFew struct {
	mysqlStmt
	open *int
}

func (c connOfFew) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if *c.open >= 3 {
		return nil, &mysql.MySQLError{Number: 1461, SQLState: [5]byte{'4', '2', '0', '0', '0'}, Message: "Can't create more than max_prepared_stmt_count statements"}
	}
	s, err := c.mysqlConn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	*c.open++
	return oneOfFew{s.(mysqlStmt), c.open}, nil
}

func (s oneOfFew) Close() error {
	*s.open--
	return s.mysqlStmt.Close()
}

// A connection that is lost before the caller's statement was sent is replaced, as it is
// unguarded.
func TestConnectionLostWhileLearning(t *testing.T) {
	for _, at := range []string{"SET @dbguard =", "SET sql_mode = @dbguard_mode", "SELECT NOT FIND_IN_SET('ANSI_QUOTES'"} {
		t.Run(at, func(t *testing.T) {
			each(t, onOnlyMySQL, func(t *testing.T, f *fixture) {
				db := f.openWrapped(t, func(c mysqlConn) driver.Conn { return connHangingUp{c, &at} })
				_, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), "DELETE FROM t WHERE id = ?", 1)
				require.NoError(t, err)
				assert.Empty(t, at, "it was lost")
				assert.Equal(t, 8, f.count(t, "t"))
			})
		})
	}
}

// connHangingUp is a connection that is closed when it is to send this.
type connHangingUp struct {
	mysqlConn
	at *string
}

func (c connHangingUp) hangUp(text string) {
	if *c.at != "" && strings.HasPrefix(text, *c.at) {
		*c.at = ""
		_ = c.Close()
	}
}

func (c connHangingUp) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	c.hangUp(text)
	return c.mysqlConn.ExecContext(ctx, text, args)
}

func (c connHangingUp) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	c.hangUp(text)
	return c.mysqlConn.QueryContext(ctx, text, args)
}
