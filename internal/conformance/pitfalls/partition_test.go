package pitfalls

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// partitioned are statements on tables p and q, of two partitions and rows 1 to 6 each, and
// how many rows they change: p's triggers delete one of item for each. The server counts a
// row of a partitioned table twice, and the driver a row that is replaced: with a trigger,
// too, nobody can tell how many there are, and they take a larger bound.
var partitioned = []struct {
	text  string
	rows  int64
	twice bool
}{
	{"DELETE FROM p WHERE id <= 2", 4, false},
	{"UPDATE p SET v = 1 WHERE id <= 2", 4, false},
	{"UPDATE p SET id = id + 101 WHERE id <= 2", 4, false},
	{"REPLACE INTO p VALUES (1, 9), (2, 9)", 4, true},
	{"REPLACE INTO q VALUES (1, 9), (2, 9), (9, 9)", 2, false},
	{"REPLACE INTO q SELECT id, v FROM p WHERE id <= 3", 3, false},
	{"INSERT INTO p VALUES (1, 9), (2, 9), (9, 9) ON DUPLICATE KEY UPDATE v = 9", 4, true},
	{"DELETE p, q FROM p JOIN q USING (id) WHERE id <= 2", 6, true},
	{"DELETE q, item FROM q JOIN item USING (id) WHERE id <= 2", 4, false},
	{"UPDATE p JOIN q USING (id) SET p.v = 1, q.v = 1 WHERE id <= 2", 6, true},
	{"UPDATE q JOIN item USING (id) SET q.v = 1, item.v = 1 WHERE id <= 2", 4, false},
	{"DELETE FROM q PARTITION (p0)", 3, false},
}

// sendWays are Exec and Query; for Query the driver returns no number of rows.
var sendWays = map[string]func(ctx context.Context, tx *sql.Tx, text string) error{
	"Exec": func(ctx context.Context, tx *sql.Tx, text string) error {
		_, err := tx.ExecContext(ctx, text)
		return err
	},
	"Query": func(ctx context.Context, tx *sql.Tx, text string) error {
		rows, err := tx.QueryContext(ctx, text)
		if err != nil {
			return err
		}
		return errors.Join(rows.Close(), rows.Err())
	},
}

// No statement on a partitioned table changes more rows than its bound.
func TestPartitionedTables(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, text := range []string{
			"CREATE TABLE p (id INT PRIMARY KEY, v INT) PARTITION BY HASH (id) PARTITIONS 2",
			"CREATE TABLE q LIKE p", "INSERT INTO p VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0)", "INSERT INTO q SELECT * FROM p",
			"CREATE TRIGGER d AFTER DELETE ON p FOR EACH ROW DELETE FROM item WHERE id = OLD.id",
			"CREATE TRIGGER u AFTER UPDATE ON p FOR EACH ROW DELETE FROM item WHERE id = OLD.id",
		} {
			s.Exec(t, text)
		}
		for _, tt := range partitioned {
			for limit := range 2*tt.rows + 1 {
				for door, run := range sendWays {
					tx, err := s.DB.Begin()
					require.NoError(t, err)
					ctx := dbguard.Allow(dbguard.AtMost(context.Background(), limit), "a test", dbguard.AllRows("q"))
					if err = run(ctx, tx, tt.text); limit < tt.rows {
						assert.ErrorIs(t, err, dbguard.OverLimit, "%s %s with a bound of %d", door, tt.text, limit)
					} else if !tt.twice || limit == 2*tt.rows {
						assert.NoError(t, err, "%s %s with a bound of %d", door, tt.text, limit)
					}
					require.NoError(t, tx.Rollback())
				}
			}
		}
	}, target.MySQLFamily...)
}
