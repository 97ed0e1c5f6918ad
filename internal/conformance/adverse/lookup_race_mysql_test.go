package adverse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// An interceptor calls beforeQuery with each text that a connection queries.
type interceptor struct {
	driver.Connector
	beforeQuery func(text string)
}

type interceptorConn struct {
	driver.Conn
	beforeQuery func(text string)
}

func (a *interceptor) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := a.Connector.Connect(ctx)
	return &interceptorConn{c, a.beforeQuery}, err
}

func (c *interceptorConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, text, args)
}

func (c *interceptorConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	c.beforeQuery(text)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, text, args)
}

func (c *interceptorConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}

// A table that is missing when it is looked up may exist when the statement runs.
func TestTableCreatedAfterLookup(t *testing.T) {
	for name, appears := range map[string][]string{
		"a table with a trigger":        {"CREATE TRIGGER trg AFTER DELETE ON y FOR EACH ROW DELETE FROM child WHERE r = 1", "RENAME TABLE y TO x"},
		"a view of one with a trigger":  {"CREATE TRIGGER trg AFTER DELETE ON y FOR EACH ROW DELETE FROM child WHERE r = 1", "CREATE VIEW x AS SELECT * FROM y"},
		"a table with a foreign key":    {"ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES y (id) ON DELETE CASCADE", "RENAME TABLE y TO x"},
		"a table without transactions":  {"ALTER TABLE y ENGINE = MyISAM", "RENAME TABLE y TO x"},
		"a table of which all would go": {"RENAME TABLE y TO x"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, onMySQL, func(t *testing.T, f *fixture) {
				f.execBare(t, "CREATE TABLE y LIKE t", "INSERT INTO y SELECT * FROM t")
				text := "DELETE FROM x WHERE id = 1"
				if len(appears) < 2 {
					text = "DELETE FROM x WHERE id > 0"
				}
				base, err := f.bare.Driver().(driver.DriverContext).OpenConnector(f.DSN)
				require.NoError(t, err)
				guard, err := dbguard.New(dbguard.Policy{})
				require.NoError(t, err)
				others := appears
				db := sql.OpenDB(sqlguard.WrapConnector(&interceptor{base, func(sent string) {
					if strings.HasPrefix(sent, "DELETE FROM x") {
						f.execBare(t, others...)
						others = nil
					}
				}}, guard, sqlguard.WithDialect(sqlguard.MySQL)))
				defer db.Close()
				rows, err := db.QueryContext(dbguard.AtMost(t.Context(), 1), text)
				if err == nil {
					rows.Next()
					err = rows.Err()
					_ = rows.Close()
				}
				require.Error(t, err)
				assert.Equal(t, 5, f.count(t, "child"))
				if others == nil {
					assert.Equal(t, 9, f.count(t, "x"))
				}
			})
		})
	}
}

// A table that a trigger changes is locked, too, so that it stays one that can be rolled
// back.
func TestTableOfTriggerIsLocked(t *testing.T) {
	for name, change := range map[string]string{"engine": "ALTER TABLE child ENGINE = MyISAM", "another": "RENAME TABLE child TO old, other TO child"} {
		t.Run(name, func(t *testing.T) {
			each(t, onMySQL, func(t *testing.T, f *fixture) {
				f.execBare(t, "CREATE TRIGGER trg AFTER DELETE ON t FOR EACH ROW DELETE FROM child WHERE r = 1",
					"CREATE TABLE other LIKE child", "INSERT INTO other SELECT * FROM child", "ALTER TABLE other ENGINE = MyISAM", "SET lock_wait_timeout = 1")
				base, err := f.bare.Driver().(driver.DriverContext).OpenConnector(f.DSN)
				require.NoError(t, err)
				guard, err := dbguard.New(dbguard.Policy{})
				require.NoError(t, err)
				db := sql.OpenDB(sqlguard.WrapConnector(&interceptor{base, func(sent string) {
					if strings.HasPrefix(sent, "DELETE FROM t") {
						_, _ = f.bare.ExecContext(t.Context(), change) // times out waiting for the lock
					}
				}}, guard, sqlguard.WithDialect(sqlguard.MySQL)))
				defer db.Close()
				rows, err := db.QueryContext(dbguard.AtMost(t.Context(), 2), "DELETE FROM t WHERE id = 1")
				if err == nil {
					rows.Next()
					err = rows.Err()
					_ = rows.Close()
				}
				require.ErrorIs(t, err, dbguard.OverLimit)
				assert.Equal(t, 14, f.count(t, "t")+f.count(t, "child"))
			})
		})
	}
}
