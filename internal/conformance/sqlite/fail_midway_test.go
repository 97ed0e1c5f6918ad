package sqlite

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// failingTriggers are tables and triggers of which a step may fail midway: SQLite then keeps
// the rows that it has changed, and counts none of them.
var failingTriggers = []string{
	"CREATE TABLE place (n INT, u INT UNIQUE)", "INSERT INTO place VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, 55)",
	"CREATE TABLE visit (id INTEGER PRIMARY KEY, v INT)", "INSERT INTO visit VALUES (1, 1), (2, 2)",
	"CREATE TABLE ring (id INTEGER PRIMARY KEY, v INT)", "INSERT INTO ring VALUES (0, 0), (1, 0), (2, 0)",
	"CREATE TRIGGER a AFTER INSERT ON visit WHEN NEW.v = 7 BEGIN UPDATE OR FAIL place SET u = CASE n WHEN 4 THEN 55 ELSE u + 1 END; END",
	"CREATE TRIGGER b AFTER INSERT ON visit WHEN NEW.v = 8 BEGIN UPDATE place SET u = CASE n WHEN 4 THEN 55 ELSE u + 1 END; END",
	"CREATE TRIGGER c AFTER UPDATE ON visit BEGIN DELETE FROM place; END",
	"CREATE TRIGGER d BEFORE DELETE ON place WHEN OLD.n = 4 BEGIN SELECT RAISE(FAIL, 'not four'); END",
	"CREATE TRIGGER e AFTER UPDATE ON ring BEGIN UPDATE OR IGNORE ring SET v = v + 1 WHERE id = (NEW.id + 1) % 3; END",
}

func TestTriggerStepsThatFailMidway(t *testing.T) {
	for _, text := range []string{
		"INSERT INTO visit VALUES (5, 7)",
		"INSERT OR FAIL INTO visit VALUES (5, 8)",
		"UPDATE visit SET v = 9 WHERE id = 1",
		"INSERT INTO visit VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET v = 9",
		"UPDATE OR IGNORE ring SET v = 7 WHERE id = 1", // fires for the other two, and for itself
	} {
		t.Run(text, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				for _, text := range failingTriggers {
					s.Exec(t, text)
				}
				_, err := s.DB.ExecContext(t.Context(), "PRAGMA recursive_triggers = ON")
				require.NoError(t, err)
				ctx := dbguard.AtMost(t.Context(), 1)
				_, err = s.DB.ExecContext(ctx, text)
				require.Error(t, err)
				tx, err := s.DB.BeginTx(ctx, nil)
				require.NoError(t, err)
				_, err = tx.ExecContext(ctx, text)
				require.Error(t, err)
				require.NoError(t, tx.Commit())
				assert.Equal(t, 155, s.Int(t, "SELECT sum(u) FROM place"))
				assert.Zero(t, s.Int(t, "SELECT sum(v) FROM ring"))
			}, target.SQLite)
		})
	}
}
