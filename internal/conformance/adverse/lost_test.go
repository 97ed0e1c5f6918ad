package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A table that the transaction has locked can be lost all the same.
func TestWhatIsLostOfALockedTable(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, g *ground) {
		g.others(t,
			"CREATE TABLE w (n INT, o INT)", "INSERT INTO w SELECT generate_series(1, 5)",
			"CREATE FUNCTION tw() RETURNS INT LANGUAGE plpgsql AS 'BEGIN TRUNCATE w; RETURN 1; END'",
			"CREATE FUNCTION dw() RETURNS INT LANGUAGE plpgsql AS 'BEGIN DROP TABLE w; RETURN 1; END'",
			"CREATE FUNCTION aw() RETURNS INT LANGUAGE plpgsql AS 'BEGIN ALTER TABLE w DROP COLUMN o; RETURN 1; END'",
			"CREATE FUNCTION cw() RETURNS INT LANGUAGE plpgsql AS 'BEGIN PERFORM 1 FROM w; UPDATE t SET n = 7 WHERE id = 7; RETURN 1; END'",
			"CREATE FUNCTION ttw() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN TRUNCATE w; RETURN OLD; END'",
			"CREATE TABLE trips (id INT PRIMARY KEY)", "INSERT INTO trips VALUES (1), (2)",
			"CREATE TRIGGER empties AFTER INSERT OR DELETE ON trips FOR EACH ROW EXECUTE FUNCTION ttw()",
		)
		for _, lock := range []string{"LOCK TABLE w", "ALTER TABLE w ADD COLUMN z INT"} {
			for _, text := range []string{
				"SELECT tw()", "DO $$ BEGIN TRUNCATE w; END $$", "SELECT dw()", "SELECT aw()", "INSERT INTO trips VALUES (3)", "DELETE FROM trips WHERE id = 1",
				"DELETE FROM t WHERE id = tw()",
			} {
				tx, err := g.db.BeginTx(t.Context(), nil)
				require.NoError(t, err)
				ctx := dbguard.AtMost(t.Context(), 100)
				_, err = tx.ExecContext(ctx, lock)
				require.NoError(t, err, lock)
				exec(t, tx, "SELECT cw()", "UPDATE t SET n = 6 WHERE id = 6", "SELECT cw()")
				_, err = tx.ExecContext(ctx, text)
				assert.ErrorIs(t, err, dbguard.RuleOpaque, "%s; %s", lock, text)
				require.NoError(t, tx.Commit())
				require.Equal(t, 5, g.rows(t, "w WHERE o IS NULL"), "%s; %s", lock, text)
				g.others(t, "ALTER TABLE w DROP COLUMN IF EXISTS z")
			}
		}
		g.works(t)
	})
}
