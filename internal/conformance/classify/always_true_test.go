package classify

import (
	"context"
	"database/sql"
	"testing"

	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// conditionCount is how many random conditions are sent to a server; always the same ones.
const conditionCount = 20_000

func TestMain(m *testing.M) { servers.Main(m) }

// TestAlwaysTrue sends random conditions to the engines themselves, through one driver
// each: one that we claim to be always true must hold for every row.
func TestAlwaysTrue(t *testing.T) {
	dialects := map[string]sqlscan.Dialect{"sqlite": sqlscan.SQLite, "pgx": sqlscan.PostgreSQL, "mysql": sqlscan.MySQL}
	for _, tg := range target.All() {
		dialect, ok := dialects[tg.Driver]
		if !ok {
			continue
		}
		t.Run(dialect.String(), func(t *testing.T) {
			db := tg.Database(t).Bare(t)
			defer db.Close()
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			checkAlwaysTrue(t, conn, dialect)
		})
	}
}

func checkAlwaysTrue(t *testing.T, conn *sql.Conn, d sqlscan.Dialect) {
	ctx := context.Background()
	for _, q := range []string{
		"CREATE TEMPORARY TABLE dbguard_truth (n integer, s varchar(10))",
		"INSERT INTO dbguard_truth VALUES (1, 'a'), (0, NULL), (NULL, '1'), (NULL, NULL), (-5, 'A ')",
	} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	const rows = 5
	g := newGenerator(d, 7)
	var text sqlscan.Text
	claimed, truths, refused := 0, 0, 0
	for range conditionCount {
		where := g.condition(g.rng.IntN(4))
		sqlscan.Classify(&text, "DELETE FROM dbguard_truth WHERE "+where, d, d.DefaultMode())
		claim := len(text.Ops) == 1 && text.Ops[0].Filter == sqlscan.AlwaysTrue
		var n int
		if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM dbguard_truth WHERE "+where).Scan(&n); err != nil {
			refused++ // the server rejects the condition: nothing to claim
			continue
		}
		if n == rows {
			truths++
		}
		if claim {
			if claimed++; n != rows {
				t.Errorf("claimed to be always true, and %d of %d rows are not: %s", rows-n, rows, where)
			}
		}
	}
	t.Logf("%d conditions, %d rejected by the server, %d true for all rows, %d claimed (%.1f %%)",
		conditionCount, refused, truths, claimed, 100*float64(claimed)/float64(truths))
	if claimed*2 < truths {
		t.Errorf("only %d of %d are claimed: the generator or the prover is not what it was", claimed, truths)
	}
}
