package sqlguard_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// shapes is a driver to be wrapped: which optional interfaces it has.
type shapes struct {
	conn connShape
	stmt stmtShape
	rows rowsShape
}

// fidelityShapes has every shape of connection, and every shape of statement
// and of rows on a connection that prepares and on one that does not.
func fidelityShapes() map[string]shapes {
	all := map[string]shapes{}
	for name, c := range connShapes {
		all["conn "+name] = shapes{conn: c}
	}
	for name, s := range stmtShapes {
		all["stmt "+name] = shapes{conn: fullShape, stmt: s}
		all["stmt "+name+" on a conn with nothing"] = shapes{conn: connShapes["nothing"], stmt: s}
	}
	for name, r := range rowsShapes {
		all["rows "+name] = shapes{conn: fullShape, rows: r}
		all["rows "+name+" on a conn with nothing"] = shapes{conn: connShapes["nothing"], rows: r}
	}
	return all
}

// mode is a way of wrapping that must not show.
type mode struct {
	name         string
	policy       dbguard.Policy
	ctx          func(context.Context) context.Context
	write, query string
	appOnly      bool // the guard's own statements show in the driver's calls
}

var modes = []mode{
	{
		name:  "enforcing, nothing to guard",
		write: "COMMENT ON TABLE app IS ?", query: "SELECT a, b FROM app WHERE id = ?",
	},
	{
		name: "observing", policy: dbguard.Policy{Mode: dbguard.Observe},
		write: "DELETE FROM app WHERE id = ?", query: "DELETE FROM app WHERE id = ? RETURNING a, b",
	},
	{
		name:  "enforcing, within bounds",
		ctx:   func(ctx context.Context) context.Context { return dbguard.AtMost(ctx, 100) },
		write: "DELETE FROM app WHERE id = ?", query: "DELETE FROM app WHERE id = ? RETURNING a, b",
		appOnly: true,
	},
}

// TestFidelity plays every scenario against every shape of driver, bare and
// wrapped, and wants the same calls of the driver and the same results for the
// application. Exceptions, each for a reason:
//
//   - within bounds the driver is also called for the guard's own transaction
//     and questions, so only what the application sees is compared;
//   - once for each connection the guard asks what kind of server it is, as code may
//     hide behind the first read already;
//   - a driver.Result is asked for its rows to judge or report them, which is
//     not written down: asking twice must not matter, database/sql's users may;
//   - sql.Conn.Raw shows the guarded connection, or it would be a way around
//     the guard: see TestRaw;
//   - what a bound cannot allow: see refused.
func TestFidelity(t *testing.T) {
	all := fidelityShapes()
	for _, m := range modes {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			for _, s := range scenarios {
				if m.appOnly && refused[s.name] != "" {
					continue
				}
				t.Run(strings.Join([]string{m.name, name, s.name}, "/"), func(t *testing.T) {
					bareCalls, bareSeen := play(t, m, all[name], s, false)
					calls, seen := play(t, m, all[name], s, true)
					assert.Equal(t, bareSeen, seen, "what the application sees")
					if !m.appOnly {
						assert.Equal(t, bareCalls, withoutQuestion(calls), "what the driver is called")
					}
				})
			}
		}
	}
	t.Logf("%d scenarios × %d drivers × %d modes", len(scenarios), len(all), len(modes))
}

func play(t *testing.T, m mode, is shapes, s scenario, wrapped bool) (calls, seen []string) {
	f := &fake{
		shape: is.conn, stmts: is.stmt, rows: is.rows, changed: 3,
		sets: [][][]driver.Value{{{int64(1), "one"}, {int64(2), []byte("two")}}},
	}
	if s.set != nil {
		s.set(f)
	}
	var c driver.Connector = closingFake{f}
	if wrapped {
		g, err := dbguard.New(m.policy)
		require.NoError(t, err)
		c = sqlguard.WrapConnector(c, g, sqlguard.WithDialect(sqlguard.PostgreSQL))
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	a := &app{db: db, f: f, ctx: context.Background(), write: m.write, query: m.query}
	if m.ctx != nil {
		a.ctx = m.ctx(a.ctx)
	}
	s.run(a)
	a.settle()
	a.saw("close %v", db.Close())
	return f.log(), a.seen
}

// withoutQuestion leaves out the guard's first query on each connection, and
// nothing but the first.
func withoutQuestion(calls []string) []string {
	var rest []string
	asked := map[string]bool{}
	for i := 0; i < len(calls); i++ {
		conn, _, _ := strings.Cut(calls[i], " ")
		if asked[conn] || !strings.Contains(calls[i], `"SELECT version()"`) {
			rest = append(rest, calls[i])
			continue
		}
		asked[conn] = true
		steps := []string{"query", "rows next", "rows next", "rows close"}
		if strings.Contains(calls[i], " prepare") {
			steps = append([]string{"prepare"}, append(steps, "stmt close")...)
		}
		for _, step := range steps {
			if i < len(calls) && strings.Contains(calls[i], step) {
				i++
			}
		}
		i--
	}
	return rest
}
