package pgxguard_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
)

// archiving is a table of which a trigger deletes two posts for each row that is
// added: two of the seven.
const archiving = `CREATE TABLE archive (id bigint GENERATED ALWAYS AS IDENTITY, post int);
CREATE FUNCTION archive() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM posts WHERE id IN (NEW.post, NEW.post + 1); RETURN NULL; END$$;
CREATE TRIGGER archive AFTER INSERT ON archive FOR EACH ROW EXECUTE FUNCTION archive();
CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY, post int REFERENCES posts, words text DEFAULT 'none')`

// inserts are ways to add the row (post).
var inserts = map[string]func(ctx context.Context, h handle, table string, post int) error{
	"Exec": func(ctx context.Context, h handle, table string, post int) error {
		tag, err := h.Exec(ctx, "INSERT INTO "+table+" (post) VALUES ($1)", post)
		if err == nil && tag.String() != "INSERT 0 1" {
			return assert.AnError
		}
		return err
	},
	"Query": func(ctx context.Context, h handle, table string, post int) error {
		rows, err := h.Query(ctx, "INSERT INTO "+table+" (post) VALUES ($1) RETURNING post", post)
		if err != nil {
			return err
		}
		_, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
		return err
	},
	"QueryRow": func(ctx context.Context, h handle, table string, post int) error {
		var id int64
		return h.QueryRow(ctx, "INSERT INTO "+table+" (post) VALUES (@post) RETURNING id", pgx.NamedArgs{"post": post}).Scan(&id)
	},
	"SendBatch": func(ctx context.Context, h handle, table string, post int) error {
		b := batch("SELECT 1")
		b.Queue("INSERT INTO "+table+" (post) VALUES ($1)", post)
		return h.SendBatch(ctx, b).Close()
	},
	"CopyFrom": func(ctx context.Context, h handle, table string, post int) error {
		n, err := h.CopyFrom(ctx, pgx.Identifier{table}, []string{"post"}, pgx.CopyFromRows([][]any{{post}}))
		if err == nil && n != 1 {
			return assert.AnError
		}
		return err
	},
	"Tx": func(ctx context.Context, h handle, table string, post int) error {
		return pgx.BeginFunc(ctx, h, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO "+table+" (post) VALUES ($1)", post)
			return err
		})
	},
	"Tx, CopyFrom": func(ctx context.Context, h handle, table string, post int) error {
		return pgx.BeginFunc(ctx, h, func(tx pgx.Tx) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{table}, []string{"post"}, pgx.CopyFromRows([][]any{{post}}))
			return err
		})
	},
	"Tx, SendBatch": func(ctx context.Context, h handle, table string, post int) error {
		return pgx.BeginFunc(ctx, h, func(tx pgx.Tx) error {
			b := batch("SELECT 1")
			b.Queue("INSERT INTO "+table+" (post) VALUES ($1)", post)
			return tx.SendBatch(ctx, b).Close()
		})
	},
}

// What triggers delete when rows are inserted is counted.
func TestInsertWithTrigger(t *testing.T) {
	for name, insert := range inserts {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			_, err := r.bare.Exec(t.Context(), archiving)
			require.NoError(t, err)
			r.survives(func() {
				for range 2 {
					require.ErrorIs(t, insert(t.Context(), r, "archive", 1), dbguard.Unbounded)
					require.ErrorIs(t, insert(atMost(t, 1), r, "archive", 1), dbguard.OverLimit)
				}
				assert.Equal(t, 7, r.count("posts"))
				assert.Zero(t, r.count("archive"))
				require.NoError(t, insert(atMost(t, 2), r, "archive", 1))
			})
			assert.Equal(t, 5, r.count("posts"))
			assert.Equal(t, 1, r.count("archive"))
			dbguardtest.AssertChanged(t, r.rec, "posts", 2)
		})
	}
}

// An ordinary table needs no bound, until it is given a trigger.
func TestInsertOnly(t *testing.T) {
	for name, insert := range inserts {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			_, err := r.bare.Exec(t.Context(), archiving)
			require.NoError(t, err)
			for range 3 {
				require.NoError(t, insert(t.Context(), r, "notes", 7))
			}
			require.True(t, pgErr("23503").matches(insert(t.Context(), r, "notes", 8)), "as bare")
			assert.Equal(t, 3, r.count("notes"))
			dbguardtest.AssertNothingDestroyed(t, r.rec)

			_, err = r.bare.Exec(t.Context(), `CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM posts WHERE id < 3; RETURN NULL; END$$;
				CREATE TRIGGER late AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION late()`)
			require.NoError(t, err)
			require.Error(t, insert(t.Context(), r, "notes", 5), "in a transaction it may be a trigger that was not there")
			require.ErrorIs(t, insert(t.Context(), r, "notes", 5), dbguard.Unbounded)
			assert.Equal(t, 7, r.count("posts"))
			assert.Equal(t, 3, r.count("notes"))
		})
	}
}
