// Package bench compares the cost of a guarded call with a bare one: on real engines, and
// on a driver that does nothing, beside well-known wrappers of database/sql.
package bench

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"testing"

	"github.com/XSAM/otelsql"
	"github.com/ngrok/sqlmw"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// null is a driver that does nothing, as fast as it can.
type null struct{}

func (null) Connect(context.Context) (driver.Conn, error) { return null{}, nil }
func (null) Driver() driver.Driver                        { return null{} }
func (null) Open(string) (driver.Conn, error)             { return null{}, nil }
func (null) Prepare(string) (driver.Stmt, error)          { return null{}, nil }
func (null) Begin() (driver.Tx, error)                    { return null{}, nil }
func (null) Commit() error                                { return nil }
func (null) Rollback() error                              { return nil }
func (null) Close() error                                 { return nil }
func (null) NumInput() int                                { return -1 }
func (null) Columns() []string                            { return nil }
func (null) Next([]driver.Value) error                    { return io.EOF }
func (null) Exec([]driver.Value) (driver.Result, error)   { return driver.RowsAffected(1), nil }
func (null) Query([]driver.Value) (driver.Rows, error)    { return null{}, nil }

func (null) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), nil
}

func (null) QueryContext(_ context.Context, text string, _ []driver.NamedValue) (driver.Rows, error) {
	switch text {
	case short, long:
		return null{}, nil
	case "SELECT version()":
		return &answer{value: "PostgreSQL 15.0"}, nil
	}
	return &answer{value: false}, nil // nothing hides
}

// answer is the one row that answers what a guard asks once per connection.
type answer struct{ value driver.Value }

func (*answer) Columns() []string { return []string{"answer"} }
func (*answer) Close() error      { return nil }

func (a *answer) Next(row []driver.Value) error {
	if a.value == nil {
		return io.EOF
	}
	row[0], a.value = a.value, nil
	return nil
}

func (null) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return null{}, nil }

// wrappers are the ways to the null driver, in the order of the table.
func wrappers(b *testing.B) []wrapper {
	g, err := dbguard.New(dbguard.Policy{})
	if err != nil {
		b.Fatal(err)
	}
	return []wrapper{
		{"direct", null{}},
		{"guarded", sqlguard.WrapConnector(null{}, g, sqlguard.WithDialect(sqlguard.PostgreSQL))},
		{"otelsql", dsnConnector{otelsql.WrapDriver(null{})}},
		{"sqlmw", dsnConnector{sqlmw.Driver(null{}, sqlmw.NullInterceptor{})}},
	}
}

type wrapper struct {
	name      string
	connector driver.Connector
}

// dsnConnector is a wrapped driver that opens by DSN.
type dsnConnector struct{ driver driver.Driver }

func (o dsnConnector) Connect(context.Context) (driver.Conn, error) { return o.driver.Open("") }
func (o dsnConnector) Driver() driver.Driver                        { return o.driver }

const (
	short = "SELECT id, name FROM users WHERE id = $1"
	long  = `SELECT o.id, o.placed_at, c.name, sum(l.quantity * l.price) AS total
FROM orders o JOIN customers c ON c.id = o.customer_id JOIN lines l ON l.order_id = o.id
LEFT JOIN returns r ON r.line_id = l.id AND r.accepted
WHERE o.placed_at >= $1 AND o.placed_at < $2 AND c.region IN ('north', 'south', 'east')
GROUP BY o.id, o.placed_at, c.name HAVING sum(l.quantity * l.price) > $3
ORDER BY total DESC LIMIT 50`
)

func BenchmarkRead(b *testing.B) {
	ctx := context.Background()
	for _, text := range []struct{ name, sql string }{{"short", short}, {"long", long}} {
		for _, s := range wrappers(b) {
			b.Run(text.name+"/"+s.name, func(b *testing.B) {
				db := sql.OpenDB(s.connector)
				defer db.Close()
				b.ReportAllocs()
				for b.Loop() {
					rows, err := db.QueryContext(ctx, text.sql, "7")
					if err != nil {
						b.Fatal(err)
					}
					rows.Close()
				}
			})
		}
	}
}

func BenchmarkPreparedRead(b *testing.B) {
	ctx := context.Background()
	for _, s := range wrappers(b) {
		b.Run(s.name, func(b *testing.B) {
			db := sql.OpenDB(s.connector)
			defer db.Close()
			stmt, err := db.PrepareContext(ctx, short)
			if err != nil {
				b.Fatal(err)
			}
			defer stmt.Close()
			b.ReportAllocs()
			for b.Loop() {
				rows, err := stmt.QueryContext(ctx, "7")
				if err != nil {
					b.Fatal(err)
				}
				rows.Close()
			}
		})
	}
}
