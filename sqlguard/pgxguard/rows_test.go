package pgxguard_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// The rows of the first are read before the caller sees any of them, those of the
// second stream.
const (
	returning = "DELETE FROM users WHERE id >= $1 RETURNING id"
	streaming = "WITH d AS (" + returning + ") SELECT id FROM d"
)

func TestCollectRows(t *testing.T) {
	r := newRig(t)
	r.survives(func() {
		rows, err := r.Query(atMost(t, 2), returning, 4)
		require.NoError(t, err)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
		require.NoError(t, err)
		assert.ElementsMatch(t, []int{4, 5}, ids)
		assert.Equal(t, "DELETE 2", rows.CommandTag().String())

		rows, err = r.Query(atMost(t, 1), returning, 1)
		require.ErrorIs(t, err, dbguard.OverLimit)
		require.ErrorIs(t, rows.Err(), dbguard.OverLimit)
		rows, err = r.Query(atMost(t, 1), streaming, 1)
		require.NoError(t, err, "there is no verdict yet")
		_, err = pgx.CollectRows(rows, pgx.RowTo[int])
		require.ErrorIs(t, err, dbguard.OverLimit)
		assert.Empty(t, rows.CommandTag().String())
	})
	assert.Equal(t, 3, r.count("users"))
}

func TestRowsClosedEarly(t *testing.T) {
	r := newRig(t)
	r.survives(func() {
		rows, err := r.Query(atMost(t, 1), streaming, 1)
		require.NoError(t, err)
		require.True(t, rows.Next())
		rows.Close()
		require.ErrorIs(t, rows.Err(), dbguard.OverLimit, "the server had deleted the others, too")
		assert.Equal(t, 5, r.count("users"))

		for i, text := range []string{returning, streaming} {
			rows, err = r.Query(atMost(t, 1), text, 5-i)
			require.NoError(t, err)
			rows.Close()
			rows.Close()
			require.NoError(t, rows.Err())
			assert.Equal(t, 4-i, r.count("users"))
		}
	})
}

func TestQueryRow(t *testing.T) {
	r := newRig(t)
	var id int
	r.survives(func() {
		for i, text := range []string{returning, streaming} {
			require.NoError(t, r.QueryRow(atMost(t, 1), text, 5-i).Scan(&id))
			assert.Equal(t, 5-i, id)
			require.ErrorIs(t, r.QueryRow(atMost(t, 1), text, 5).Scan(&id), pgx.ErrNoRows)
			require.ErrorIs(t, r.QueryRow(atMost(t, 1), text, 1).Scan(&id), dbguard.OverLimit)
			require.ErrorIs(t, r.QueryRow(t.Context(), text, 1).Scan(&id), dbguard.Unbounded)
			require.ErrorIs(t, r.QueryRow(atMost(t, 0), text, 3).Scan(&id), dbguard.OverLimit)
		}
	})
	assert.Equal(t, 3, r.count("users"))
}

// Without a guard a statement stands although its rows cannot be read here.
func TestScanFails(t *testing.T) {
	r := newRig(t)
	r.survives(func() {
		for i, text := range []string{returning, streaming} {
			var id []string
			err := r.QueryRow(atMost(t, 1), text, 5-i).Scan(&id)
			var scan pgx.ScanArgError
			require.ErrorAs(t, err, &scan)
			assert.Equal(t, 4-i, r.count("users"))

			err = r.QueryRow(atMost(t, 1), text, 1).Scan(&id)
			require.ErrorIs(t, err, dbguard.OverLimit, "what is undone comes first")
			assert.Equal(t, 4-i, r.count("users"))
		}
	})
}

func TestScanPanics(t *testing.T) {
	r := newRig(t)
	for text, left := range map[string]int{streaming: 5, returning: 4} {
		assert.PanicsWithValue(t, "scan", func() {
			_ = r.QueryRow(atMost(t, 1), text, 5).Scan(panicky{})
		})
		assert.Equal(t, left, r.count("users"), "of %s a verdict falls at the end of the rows", text)
		_, err := r.bare.Exec(t.Context(), "INSERT INTO users VALUES (5) ON CONFLICT DO NOTHING")
		require.NoError(t, err)
	}
	require.NoError(t, r.Ping(t.Context()), "the connection was given back, and replaced")
}

type panicky struct{}

func (panicky) ScanRow(pgx.Rows) error { panic("scan") }

func TestRowsOfAPoolGiveTheirConnectionBack(t *testing.T) {
	r := newRig(t)
	ends := map[string]func(pgx.Rows){
		"read to the end": func(rows pgx.Rows) {
			for rows.Next() {
			}
		},
		"closed":      func(rows pgx.Rows) { rows.Close() },
		"scan fails":  func(rows pgx.Rows) { rows.Next(); _ = rows.Scan() },
		"values, end": func(rows pgx.Rows) { rows.Next(); _, _ = rows.Values(); rows.Close() },
	}
	for name, end := range ends {
		for _, text := range []string{
			"SELECT 1", "UPDATE users SET name = 'y' WHERE id = 1 RETURNING id",
			"WITH u AS (UPDATE users SET name = 'y' WHERE id = 1 RETURNING id) SELECT id FROM u",
		} {
			rows, err := r.Query(atMost(t, 1), text)
			require.NoError(t, err, name)
			end(rows)
			assert.Zero(t, r.Stat().AcquiredConns(), "%s: %s", name, text)
		}
	}
}

// The true count is told, with the tables that the text does not name.
func TestHiddenRows(t *testing.T) {
	r := newRig(t)
	_, err := r.Exec(atMost(t, 1), deleteOne, 2)
	require.ErrorContains(t, err, "7 rows of posts (ON DELETE CASCADE)")
	tag, err := r.Exec(atMost(t, 8), deleteOne, 2)
	require.NoError(t, err)
	assert.Equal(t, int64(1), tag.RowsAffected())
}
