package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// The caller sees the same errors as without a guard.
func TestErrors(t *testing.T) {
	texts := []string{
		"DELETE FROM kept WHERE id = 1",
		"DELETE FROM missing WHERE id = 1",
		"DELETE FROM t WHERE nothing = 1",
		"UPDATE t SET v = 1 / (v - v) WHERE id = 1",
		"UPDATE t SET id = 2 WHERE id = 1",
		"DELETE FROM t WHERE id = 'one'",
		"UPDATE t SET v = 1, v = 2 WHERE id = 1",
		"DELETE FROM t WHERE id = 1 RETURNING nothing",
		"DELETE FROM t WHERE CURRENT OF c",
		"DELETE FROM t WHERE id = '1'::missing.number",
		"DELETE FROM t WHERE id IN (SELECT id FROM t WHERE id = 1 LIMIT -1)",
	}
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for _, text := range texts {
			_, want := f.direct.ExecContext(t.Context(), text)
			require.Error(t, want, text)
			_, err := f.db.ExecContext(atMost(t, 1), text)
			assert.Equal(t, want.Error(), err.Error(), text)
			if f.driver == "pgx" { // lib/pq keeps the text that was sent in a field of its own
				assert.Equal(t, want, err, text)
			}
		}
		var v *dbguard.Violation
		_, err := f.db.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id < 10")
		require.ErrorAs(t, err, &v)
		assert.NoError(t, v.Err, "the error by which the server stopped is not the caller's business")
	})
}

// An argument that the server cannot read costs the statement, and not the connection.
func TestUnreadableArguments(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		param, arg := "default_query_exec_mode=simple_protocol", any("1\x00")
		if f.driver == "libpq" {
			param, arg = "binary_parameters=yes", []byte("1")
		}
		g, err := dbguard.New(dbguard.Policy{})
		require.NoError(t, err)
		db, err := sqlguard.Open(f.driverName, f.dsn+"&"+param, g)
		require.NoError(t, err)
		defer db.Close()
		tx, err := db.Begin()
		require.NoError(t, err)
		_, err = tx.ExecContext(atMost(t, 1), "UPDATE t SET v = $1 WHERE id = $2", arg, 2)
		require.ErrorContains(t, err, "08P01")
		_, err = tx.Exec("SELECT 1")
		require.ErrorContains(t, err, "25P02", "the transaction is aborted, and the server says so")
		require.NoError(t, tx.Rollback())
	})
}

// Statements that need care when they are rewritten.
func TestForms(t *testing.T) {
	texts := []struct {
		text string
		rows int64
	}{
		{"DELETE FROM t WHERE id = 1 -- a comment", 1},
		{"DELETE FROM t WHERE id = 2 /* a comment */ ; -- another", 1},
		{"/* first */ DELETE FROM ONLY public.t AS x WHERE x.id = 3;", 1},
		{`DELETE FROM "t" USING kept WHERE kept.id = t.id AND t.id = 4;;`, 1},
		{"WITH w AS (SELECT 5 AS id) DELETE FROM t WHERE id IN (SELECT id FROM w)", 1},
		{"WITH RECURSIVE w(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM w WHERE n < 6) DELETE FROM t WHERE id = (SELECT max(n) FROM w)", 1},
		{"UPDATE t SET v = NULL WHERE id = 7 RETURNING *", 1},
		{"UPDATE t AS dbguard SET v = 1 FROM kept s WHERE s.id = dbguard.id AND s.id = 8 RETURNING dbguard.id, s.id, s.id", 1},
		{"DELETE FROM t WHERE id = 99", 0},
		{"UPDATE t SET v = 2 WHERE id IN (9, 10)", 2},
		{"WITH a AS (INSERT INTO child VALUES (1, 1)) DELETE FROM t WHERE id = 10", 1},
		{"SELECT 1 FROM t WHERE id = 11", 1},
	}
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for _, tt := range texts {
			res, err := f.db.ExecContext(atMost(t, 2), tt.text)
			require.NoError(t, err, tt.text)
			n, err := res.RowsAffected()
			require.NoError(t, err)
			assert.Equal(t, tt.rows, n, tt.text)
		}
		rows, err := f.db.QueryContext(atMost(t, 2), "DELETE FROM t WHERE id > 18 RETURNING id, id, 'x', NULL, v -- all")
		require.NoError(t, err)
		columns, err := rows.Columns()
		require.NoError(t, err)
		assert.Equal(t, []string{"id", "id", "?column?", "?column?", "v"}, columns)
		var ids []int
		for rows.Next() {
			var id, again, v int
			var x, null *string
			require.NoError(t, rows.Scan(&id, &again, &x, &null, &v))
			assert.Equal(t, "x", *x)
			assert.Nil(t, null)
			ids = append(ids, id)
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
		assert.Equal(t, []int{19, 20}, ids)
	})
}

func TestTemporaryRowsDoNotCount(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		tx, err := f.db.Begin() // pins the connection
		require.NoError(t, err)
		_, err = tx.Exec("CREATE TEMPORARY TABLE mine AS SELECT i FROM generate_series(1, 9) i")
		require.NoError(t, err)
		_, err = tx.ExecContext(atMost(t, 1), "DELETE FROM mine WHERE i < 4")
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
		res, err := f.db.ExecContext(atMost(t, 1), "DELETE FROM mine WHERE i > $1", 6)
		require.NoError(t, err)
		n, err := res.RowsAffected()
		require.NoError(t, err)
		assert.EqualValues(t, 3, n)
	})
}

// A table that another one references without an action is checked by a row lock, which a
// sealed statement cannot take.
func TestReferencedTable(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for i := 2; i < 6; i++ {
			_, err := f.db.ExecContext(atMost(t, 1), "DELETE FROM kept WHERE id = $1", i)
			require.NoError(t, err)
		}
		_, err := f.db.ExecContext(atMost(t, 1), "DELETE FROM kept WHERE id > $1", 5)
		require.ErrorIs(t, err, dbguard.OverLimit)
		assert.Equal(t, 16, f.count("kept"))
	})
}

func TestHiddenRowsAreNamed(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for range 3 {
			_, err := f.db.ExecContext(atMost(t, 2), "DELETE FROM parent WHERE id = $1", 3)
			require.ErrorIs(t, err, dbguard.OverLimit)
			assert.Contains(t, err.Error(), "1 row of parent and 3 rows of child (ON DELETE CASCADE)")
		}
		assert.Equal(t, 60, f.count("child"))
	})
}

func TestCalls(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare(`CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM t WHERE id < 4; SELECT 1';
			CREATE FUNCTION looks() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM t';
			CREATE FUNCTION lies() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN wipe(); END';
			CREATE FUNCTION notes() RETURNS int LANGUAGE sql AS 'INSERT INTO keeper VALUES (2); SELECT 1'`)
		ctx := t.Context()
		one := func(ctx context.Context, text string) error {
			var n int
			return f.db.QueryRowContext(ctx, text).Scan(&n)
		}
		for _, text := range []string{"SELECT wipe()", "SELECT lies()", "SELECT looks() + wipe()", "SELECT id FROM t WHERE id = lies()"} {
			assert.ErrorIs(t, one(ctx, text), dbguard.RuleOpaque, text)
			err := one(atMost(t, 2), text)
			if err != nil || !strings.Contains(text, "lies") { // PostgreSQL keeps what an IMMUTABLE function said before
				assert.ErrorIs(t, err, dbguard.OverLimit, text)
			}
			assert.Equal(t, 20, f.count("t"), text)
		}
		_, err := f.db.ExecContext(atMost(t, 1), "UPDATE kept SET id = id WHERE id = 3 AND lies() = 1")
		assert.ErrorIs(t, err, dbguard.OverLimit)
		_, err = f.db.ExecContext(ctx, "INSERT INTO keeper SELECT wipe()")
		assert.ErrorIs(t, err, dbguard.RuleOpaque)
		assert.Equal(t, 20, f.count("t"))
		require.NoError(t, one(ctx, "SELECT looks()"))
		require.NoError(t, one(dbguard.Exactly(ctx, 1), "SELECT looks()"))
		require.NoError(t, one(ctx, "SELECT notes()"))
		assert.Equal(t, 2, f.count("keeper"), "what it inserted is kept")
		require.NoError(t, one(atMost(t, 3), "SELECT wipe()"))
		assert.Equal(t, 17, f.count("t"))
	})
}

func TestExactly(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		ctx := dbguard.Exactly(t.Context(), 2)
		for text, rule := range map[string]error{
			"DELETE FROM t WHERE id = 1":  dbguard.UnderLimit,
			"DELETE FROM t WHERE id = 99": dbguard.UnderLimit,
			"DELETE FROM t WHERE id < 4":  dbguard.OverLimit,
		} {
			_, err := f.db.ExecContext(ctx, text)
			assert.ErrorIs(t, err, rule, text)
		}
		assert.Equal(t, 20, f.count("t"))
		_, err := f.db.ExecContext(ctx, "DELETE FROM t WHERE id < 3")
		require.NoError(t, err)
		assert.Equal(t, 18, f.count("t"))
	})
}

// A statement that is cut off leaves the connection, or what replaces it, usable.
func TestTimeouts(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		tx, err := f.bare.Begin()
		require.NoError(t, err)
		_, err = tx.Exec("DELETE FROM t WHERE id = 1")
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(atMost(t, 1), 200*time.Millisecond)
		_, err = f.db.ExecContext(ctx, "DELETE FROM t WHERE id = 1")
		cancel()
		require.Error(t, err) // each driver has its own
		assert.NotErrorIs(t, err, dbguard.OverLimit)
		_, err = f.db.ExecContext(t.Context(), "SET statement_timeout = '200ms'")
		require.NoError(t, err)
		_, err = f.db.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1")
		var coded interface{ SQLState() string }
		require.ErrorAs(t, err, &coded)
		assert.Equal(t, "57014", coded.SQLState())
		assert.NotErrorIs(t, err, dbguard.ErrRefused)
		require.NoError(t, tx.Rollback())
		_, err = f.db.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1")
		require.NoError(t, err)
		assert.Equal(t, 19, f.count("t"))
	})
}

// The rows of RETURNING are read before the caller sees them, and another message may follow
// them: what pgx knows of their columns is gone by then.
func TestColumnTypesOfReturning(t *testing.T) {
	texts := []string{
		"UPDATE t SET v = v + 1 WHERE id = 1 RETURNING id, v::numeric(5, 2), 'x'::varchar(7)",
		"UPDATE t SET v = nextval('s') WHERE id = 1 RETURNING id, v::text",
		"DELETE FROM parent WHERE id = 1 RETURNING id, true",
	}
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE SEQUENCE s")
		for _, text := range texts {
			want := f.columns(f.direct, text)
			assert.NotEmpty(t, want)
			assert.Equal(t, want, f.columns(f.db, text), text)
		}
	})
}

// columns are the types of the columns of a text's result, in a transaction that is rolled
// back.
func (f *fixture) columns(db *sql.DB, text string) (kinds []string) {
	tx, err := db.Begin()
	require.NoError(f.t, err)
	defer tx.Rollback()
	rows, err := tx.QueryContext(atMost(f.t, 9), text)
	require.NoError(f.t, err)
	defer rows.Close()
	types, err := rows.ColumnTypes()
	require.NoError(f.t, err)
	for _, c := range types {
		length, sized := c.Length()
		precision, scale, measured := c.DecimalSize()
		kinds = append(kinds, fmt.Sprint(c.Name(), c.DatabaseTypeName(), c.ScanType(), length, sized, precision, scale, measured))
	}
	return kinds
}
