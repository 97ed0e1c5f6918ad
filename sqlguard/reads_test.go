package sqlguard_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	if text == "SELECT version()" {
		return &versionRows{}, nil
	}
	return null{}, nil
}

// versionRows answer that the server speaks like PostgreSQL but has not its
// counters, so that the guard asks for nothing more.
type versionRows struct {
	null
	read bool
}

func (*versionRows) Columns() []string { return []string{"version"} }

func (r *versionRows) Next(dest []driver.Value) error {
	if r.read {
		return io.EOF
	}
	dest[0], r.read = countsNothing, true
	return nil
}

const read = "SELECT id, name FROM users WHERE id = $1 ORDER BY name"

// pair is a null driver's database bare and guarded.
func pair(t testing.TB) (direct, guarded *sql.DB) {
	t.Helper()
	direct = sql.OpenDB(null{})
	guarded = sql.OpenDB(sqlguard.WrapConnector(null{}, newGuard(t, dbguard.Policy{}), sqlguard.WithDialect(sqlguard.PostgreSQL)))
	t.Cleanup(func() { direct.Close(); guarded.Close() })
	return direct, guarded
}

var reads = map[string]func(context.Context, testing.TB, *sql.DB) func(){
	"query": func(ctx context.Context, t testing.TB, db *sql.DB) func() {
		return func() {
			rows, err := db.QueryContext(ctx, read)
			if err != nil {
				t.Fatal(err)
			}
			rows.Close()
		}
	},
	"query with an argument": func(ctx context.Context, t testing.TB, db *sql.DB) func() {
		return func() {
			rows, err := db.QueryContext(ctx, read, "7")
			if err != nil {
				t.Fatal(err)
			}
			rows.Close()
		}
	},
	"prepared": func(ctx context.Context, t testing.TB, db *sql.DB) func() {
		s, err := db.PrepareContext(ctx, read)
		require.NoError(t, err)
		t.Cleanup(func() { s.Close() })
		return func() {
			rows, err := s.QueryContext(ctx)
			if err != nil {
				t.Fatal(err)
			}
			rows.Close()
		}
	},
}

// TestReadsAllocateNothing: a guarded read allocates what a bare one does.
func TestReadsAllocateNothing(t *testing.T) {
	ctx := context.Background()
	for name, read := range reads {
		direct, guarded := pair(t)
		want := testing.AllocsPerRun(1000, read(ctx, t, direct))
		assert.Equal(t, want, testing.AllocsPerRun(1000, read(ctx, t, guarded)), name)
	}
}

// BenchmarkReadAtDriver is a read that the guard has seen before, at the driver,
// where nothing of database/sql hides what judging it costs.
func BenchmarkReadAtDriver(b *testing.B) {
	ctx := context.Background()
	c, err := sqlguard.WrapConnector(null{}, newGuard(b, dbguard.Policy{}), sqlguard.WithDialect(sqlguard.PostgreSQL)).Connect(ctx)
	require.NoError(b, err)
	for _, side := range []struct {
		name string
		conn driver.QueryerContext
	}{{"direct", null{}}, {"guarded", c.(driver.QueryerContext)}} {
		b.Run(side.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = side.conn.QueryContext(ctx, read, nil) // the null driver's never fail
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	ctx := context.Background()
	direct, guarded := pair(b)
	for name, read := range reads {
		for side, db := range map[string]*sql.DB{"direct": direct, "guarded": guarded} {
			b.Run(name+"/"+side, func(b *testing.B) {
				run := read(ctx, b, db)
				b.ReportAllocs()
				for b.Loop() {
					run()
				}
			})
		}
	}
}

func BenchmarkBoundedExec(b *testing.B) {
	ctx := dbguard.AtMost(context.Background(), 1)
	direct, guarded := pair(b)
	for side, db := range map[string]*sql.DB{"direct": direct, "guarded": guarded} {
		b.Run(side, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := db.ExecContext(ctx, "DELETE FROM users WHERE id = 7"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
