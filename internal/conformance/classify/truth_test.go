package classify

import (
	"context"
	"database/sql"
	"os"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// claims is how many random conditions are put to a server; always the same.
const claims = 20_000

// TestTruth puts conditions that are claimed to be always true to the servers
// themselves: a claim must hold for every row. SQLite is always there, the
// others where a variable names them.
func TestTruth(t *testing.T) {
	for _, server := range []struct {
		dialect     sqlscan.Dialect
		driver, dsn string
		variable    string
	}{
		{sqlscan.SQLite, "sqlite", ":memory:", ""},
		{sqlscan.PostgreSQL, "pgx", "", "DBGUARD_POSTGRES_DSN"},
		{sqlscan.MySQL, "mysql", "", "DBGUARD_MYSQL_DSN"},
	} {
		t.Run(server.dialect.String(), func(t *testing.T) {
			dsn := server.dsn
			if server.variable != "" {
				if dsn = os.Getenv(server.variable); dsn == "" {
					t.Skip(server.variable, "names no server")
				}
			}
			db, err := sql.Open(server.driver, dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			conn, err := db.Conn(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			checkTruth(t, conn, server.dialect)
		})
	}
}

func checkTruth(t *testing.T, conn *sql.Conn, d sqlscan.Dialect) {
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
	for range claims {
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
		claims, refused, truths, claimed, 100*float64(claimed)/float64(truths))
	if claimed*2 < truths {
		t.Errorf("only %d of %d are claimed: the generator or the prover is not what it was", claimed, truths)
	}
}
