package adverse

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// What was deferred to the COMMIT is counted where a SET CONSTRAINTS in a text of several
// statements runs it.
func TestSetConstraintsAmongOtherStatements(t *testing.T) {
	each(t, []target.Engine{target.Postgres}, func(t *testing.T, f *fixture) {
		f.execBare(t,
			"CREATE FUNCTION wipe() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM child; RETURN NULL; END $$",
			"CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wipe()",
		)
		ctx := dbguard.AtMost(t.Context(), 1)
		tx, err := f.db.BeginTx(ctx, nil)
		require.NoError(t, err)
		exec(t, tx, "INSERT INTO t VALUES (10, 0)")
		_, err = tx.ExecContext(ctx, "SET CONSTRAINTS late IMMEDIATE; SELECT 1")
		require.ErrorIs(t, err, dbguard.ErrRefused)
		require.ErrorIs(t, tx.Commit(), dbguard.ErrRefused)
		assert.Equal(t, 5, f.count(t, "child"))
	})
}

// A large object can be written by its descriptor, too.
func TestLargeObjectByDescriptor(t *testing.T) {
	each(t, []target.Engine{target.Postgres}, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE TABLE o AS SELECT lo_from_bytea(0, repeat('x', 20000)::bytea) AS oid")
		ctx := dbguard.AtMost(t.Context(), 1)
		tx, err := f.db.BeginTx(ctx, nil)
		require.NoError(t, err)
		exec(t, tx, "SELECT lo_open(oid, 131072) FROM o")
		_, err = tx.ExecContext(ctx, "SELECT lowrite(0, repeat('y', 20000)::bytea)")
		require.ErrorIs(t, err, dbguard.OverLimit)
		require.NoError(t, tx.Commit())
		assert.Equal(t, 10, f.count(t, "pg_largeobject WHERE data LIKE 'x%'"))
	})
}

// A snapshot that is older than a table sees the rows that another session froze in it.
func TestTableYoungerThanTheSnapshot(t *testing.T) {
	each(t, []target.Engine{target.Postgres}, func(t *testing.T, f *fixture) {
		ctx := dbguard.AtMost(t.Context(), 1)
		tx, err := f.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		require.NoError(t, err)
		exec(t, tx, "UPDATE t SET n = 1 WHERE id = 1")
		f.execBare(t, "BEGIN; CREATE TABLE young (id INT); COPY young FROM PROGRAM 'seq 1 5' WITH (FREEZE); COMMIT")
		_, err = tx.ExecContext(ctx, "DELETE FROM young WHERE id > 1")
		require.ErrorIs(t, err, dbguard.OverLimit)
		exec(t, tx, "DELETE FROM young WHERE id = 1") // the counters still include what was undone
		_, err = tx.ExecContext(ctx, "DELETE FROM young WHERE id > 1")
		require.ErrorIs(t, err, dbguard.OverLimit)
		exec(t, tx, "DELETE FROM young WHERE id = 2", "UPDATE t SET n = 2 WHERE id = 1", "DELETE FROM young WHERE id = 3")
		require.NoError(t, tx.Commit())
		assert.Equal(t, 2, f.count(t, "young"))
	})
}
