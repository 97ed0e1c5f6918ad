package postgres

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// Where the server judges, it returns how many rows it let pass: as many as the statement's
// own, more or fewer.
func TestRowsInTheTrace(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare(`CREATE VIEW quiet AS SELECT * FROM t;
			CREATE FUNCTION once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF OLD.id = 1 THEN DELETE FROM t WHERE id = 1; END IF; RETURN OLD; END $$;
			CREATE TRIGGER once INSTEAD OF DELETE ON quiet FOR EACH ROW EXECUTE FUNCTION once();
			CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET v = v + 1 WHERE id = 20; RETURN NULL; END $$;
			CREATE TRIGGER counts AFTER INSERT ON keeper FOR EACH STATEMENT EXECUTE FUNCTION counts()`)
		spans := tracetest.NewSpanRecorder()
		policy := dbguard.Policy{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))}
		g, err := dbguard.New(policy)
		require.NoError(t, err)
		db, err := sqlguard.Open(f.driverName, f.dsn, g)
		require.NoError(t, err)
		defer db.Close()
		db.SetMaxOpenConns(1)
		pool := f.native(policy, f.dsn)
		for _, x := range []struct {
			text       string
			told, rows int64 // to the caller; in the trace
		}{
			{"DELETE FROM parent WHERE id = 1", 1, 4},
			{"DELETE FROM parent WHERE id IN (2, 3, 4)", 3, 12},
			{"DELETE FROM quiet WHERE id < 11", 10, 1},
			{"INSERT INTO keeper VALUES (2), (3), (4)", 3, 1},
			{"UPDATE t SET v = 0 WHERE id > 15", 5, 5},
			{"DELETE FROM parent WHERE id = 99", 0, 0},
		} {
			undo := func() {
				f.execBare("TRUNCATE parent, child, t, keeper; " + setup[1] + "; " + setup[3] + "; " + setup[5])
			}
			for way, run := range map[string]func(context.Context) int64{
				"database/sql": func(ctx context.Context) int64 {
					res, err := db.ExecContext(ctx, x.text)
					require.NoError(t, err, x.text)
					n, err := res.RowsAffected()
					require.NoError(t, err)
					return n
				},
				"pgx": func(ctx context.Context) int64 { return exec(ctx, t, pool, x.text) },
			} {
				for range 2 { // the first is on a connection that has not met it yet
					undo()
					assert.Equal(t, x.told, run(atMost(t, 100)), "%s: %s", way, x.text)
					ended := spans.Ended()
					assert.Contains(t, ended[len(ended)-1].Attributes(), attribute.Int64("dbguard.rows", x.rows), "%s: %s", way, x.text)
				}
			}
		}
	})
}

func exec(ctx context.Context, t *testing.T, pool *pgxguard.Pool, text string) int64 {
	t.Helper()
	tag, err := pool.Exec(ctx, text)
	require.NoError(t, err, text)
	return tag.RowsAffected()
}
