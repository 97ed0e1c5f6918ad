package pgxguard_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// handle is what bare and guarded pools have in common.
type handle interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error)
	Begin(ctx context.Context) (pgx.Tx, error)
	Ping(ctx context.Context) error
}

type call struct {
	sql  string
	args []any
}

// calls do the same bare and guarded, whatever way they are made: rows, tags
// and errors.
var calls = []call{
	{"SELECT id, name FROM users ORDER BY id", nil},
	{"SELECT id FROM users WHERE id = $1", []any{3}},
	{"SELECT id FROM users WHERE id = @id", []any{pgx.NamedArgs{"id": 3}}},
	{"SELECT id FROM users WHERE id = @id", []any{pgx.StructArgs(struct {
		ID int `db:"id"`
	}{3})}},
	{"SELECT id FROM users WHERE id = @id", []any{pgx.StrictNamedArgs{"no": 3}}},
	{"SELECT 1", []any{rewriter("UPDATE users SET name = 'y' WHERE id = 1 RETURNING id")}},
	{"UPDATE users SET name = 'z' WHERE id = @id RETURNING id, name", []any{pgx.QueryExecModeExec, pgx.NamedArgs{"id": 3}}},
	{"UPDATE users SET name = $1 WHERE id = $2", []any{"z", 4}},
	{"UPDATE users SET name = $1 WHERE id = $2", []any{pgx.QueryExecModeCacheStatement, "z", 4}},
	{"UPDATE users SET name = $1 WHERE id = $2", []any{pgx.QueryExecModeCacheDescribe, "z", 4}},
	{"UPDATE users SET name = $1 WHERE id = $2", []any{pgx.QueryExecModeDescribeExec, "z", 4}},
	{"UPDATE users SET name = $1 WHERE id = $2", []any{pgx.QueryExecModeSimpleProtocol, "z", 4}},
	{"UPDATE users SET name = $1 WHERE id = $2", []any{"z"}},
	{"UPDATE users SET name = $1 WHERE id = $2", []any{"z", "no number"}},
	{"UPDATE users SET nothing = 1 WHERE id = 1", nil},
	{"UPDATE users SET name = NULL WHERE id = 1", nil},
	{"UPDATE users SET name = $1 WHERE id = $2 RETURNING id, name, ARRAY[name], 'x', NULL", []any{"z", 4}},
	{"UPDATE users SET name = $1 WHERE id = $2 RETURNING *", []any{pgx.QueryResultFormats{pgx.TextFormatCode}, "z", 4}},
	{"DELETE FROM posts WHERE id = 99", nil},
	{"DELETE FROM posts WHERE id = 99 RETURNING id", nil},
	{"DELETE FROM users WHERE id = 5", nil},
	{"DROP TABLE IF EXISTS nothing", nil},
	{"ALTER TABLE IF EXISTS nothing DROP COLUMN IF EXISTS one", nil},
	{"DELETE FROM posts WHERE id = 1 RETURNING *", nil},
	{"INSERT INTO users VALUES (1)", nil},
	{"INSERT INTO users VALUES (9), (10) RETURNING id", nil},
	{"INSERT INTO users VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'w' RETURNING name", nil},
	{"MERGE INTO users u USING (VALUES (1)) v(id) ON u.id = v.id WHEN MATCHED THEN UPDATE SET name = 'm'", nil},
	{"WITH d AS (DELETE FROM posts WHERE id = 2 RETURNING id) SELECT id FROM d", nil},
	{"CREATE TEMPORARY TABLE scratch AS SELECT 1 AS one", nil},
	{"NOTIFY somebody", nil},
	{"SHOW standard_conforming_strings", nil},
	{"VACUUM users", nil},
	{"SELECT 1/0", nil},
	{"", nil},
	{"-- nothing", nil},
}

func TestFidelity(t *testing.T) {
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t, func(cfg *pgxpool.Config, _ *dbguard.Policy) { cfg.ConnConfig.DefaultQueryExecMode = mode })
			cfg := r.Config()
			cfg.ConnConfig.Tracer = nil
			bare, err := pgxpool.NewWithConfig(t.Context(), cfg)
			require.NoError(t, err)
			defer bare.Close()
			for _, c := range calls {
				for way, do := range ways {
					if c.sql == "VACUUM users" && way == "Tx" {
						continue
					}
					require.Equal(t, r.undone(bare, do, c), r.undone(r, do, c), "%s: %s %v", way, c.sql, c.args)
				}
			}
		})
	}
}

// undone runs a call and puts the tables back as they were.
func (r *rig) undone(h handle, do func(context.Context, handle, call) string, c call) string {
	r.t.Helper()
	told := do(dbguard.AtMost(context.Background(), 1), h, c)
	told += fmt.Sprint("; ping: ", h.Ping(context.Background()))
	_, err := r.bare.Exec(context.Background(), "DROP TABLE posts; DROP TABLE users;"+schema)
	require.NoError(r.t, err)
	return told
}

// ways to make a call, each telling all that its caller sees.
var ways = map[string]func(ctx context.Context, h handle, c call) string{
	"Exec": func(ctx context.Context, h handle, c call) string {
		tag, err := h.Exec(ctx, c.sql, c.args...)
		return tell(tag, err)
	},
	"Query": func(ctx context.Context, h handle, c call) string {
		return tellRows(h.Query(ctx, c.sql, c.args...))
	},
	"QueryRow": func(ctx context.Context, h handle, c call) string {
		var first any
		err := h.QueryRow(ctx, c.sql, c.args...).Scan(&first)
		return tell(first, err)
	},
	"Tx": func(ctx context.Context, h handle, c call) string {
		tx, err := h.Begin(ctx)
		if err != nil {
			return err.Error()
		}
		tag, err := tx.Exec(ctx, c.sql, c.args...)
		status := tx.Conn().PgConn().TxStatus()
		return tell(tag, err) + fmt.Sprintf("; %c; %v", status, tx.Commit(ctx))
	},
	"Tx, Query": func(ctx context.Context, h handle, c call) (told string) {
		err := pgx.BeginFunc(ctx, h, func(tx pgx.Tx) error {
			told = tellRows(tx.Query(ctx, c.sql, c.args...))
			return nil
		})
		return told + fmt.Sprint("; ", err)
	},
}

func tellRows(rows pgx.Rows, err error) string {
	if err != nil {
		return tell(rows.Err(), err)
	}
	defer rows.Close()
	told := ""
	for rows.Next() {
		values, err := rows.Values()
		told += fmt.Sprintf("%v %v %q\n", values, err, rows.RawValues())
	}
	names := ""
	if rows.Err() == nil {
		for _, f := range rows.FieldDescriptions() {
			f.TableOID, f.DataTypeOID = min(f.TableOID, 1), min(f.DataTypeOID, 16384) // each table has its own
			names += fmt.Sprintf("%+v ", f)
		}
	}
	return told + names + tell(rows.CommandTag(), rows.Err())
}

// tell is a result and an error, the error without what differs between two
// databases.
func tell(result any, err error) string {
	if err == nil {
		return fmt.Sprint(result)
	}
	return fmt.Sprintf("%T: %v", err, err)
}

// A copy is an insert.
func TestCopyFrom(t *testing.T) {
	r := newRig(t)
	for name, h := range map[string]handle{"bare": r.bare, "guarded": r} {
		n, err := h.CopyFrom(t.Context(), pgx.Identifier{"users"}, []string{"id", "name"}, pgx.CopyFromRows([][]any{{20, name}, {21, name}}))
		require.NoError(t, err)
		assert.Equal(t, int64(2), n)
		_, err = h.CopyFrom(t.Context(), pgx.Identifier{"users"}, []string{"id"}, pgx.CopyFromRows([][]any{{20}}))
		require.True(t, pgErr("23505").matches(err), "%v", err)
		_, err = r.bare.Exec(t.Context(), "DELETE FROM users WHERE id >= 20")
		require.NoError(t, err)
	}
}

func TestListen(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.AcquireFunc(t.Context(), func(c *pgxguard.Conn) error {
		_, err := c.Exec(t.Context(), "LISTEN news")
		require.NoError(t, err)
		_, err = r.bare.Exec(t.Context(), "NOTIFY news, 'hello'")
		require.NoError(t, err)
		n, err := c.Conn().WaitForNotification(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "hello", n.Payload)
		_, err = c.Exec(atMost(t, 1), deleteOne, 5)
		return err
	}))
	assert.Equal(t, 4, r.count("users"))
}

func TestPrepared(t *testing.T) {
	r := newRig(t)
	ctx := atMost(t, 1)
	require.NoError(t, r.AcquireFunc(ctx, func(c *pgxguard.Conn) error {
		_, err := c.Conn().Prepare(ctx, "remove one", deleteOne)
		require.NoError(t, err)
		tag, err := c.Exec(ctx, "remove one", 5)
		require.NoError(t, err)
		assert.Equal(t, int64(1), tag.RowsAffected())
		_, err = c.Exec(ctx, "remove one", 2)
		require.ErrorIs(t, err, dbguard.OverLimit)

		// A name that was given up is a text again.
		_, err = c.Conn().Prepare(ctx, "DELETE FROM users", "SELECT 1")
		require.NoError(t, err)
		_, err = c.Exec(ctx, "DELETE FROM users")
		require.NoError(t, err, "it is a statement that reads")
		require.NoError(t, c.Conn().Deallocate(ctx, "DELETE FROM users"))
		_, err = c.Exec(ctx, "DELETE FROM users")
		require.ErrorIs(t, err, dbguard.Unfiltered)
		return nil
	}))
	assert.Equal(t, 4, r.count("users"))
}
