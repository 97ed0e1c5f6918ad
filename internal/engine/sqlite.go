package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// sqlite is the backend for SQLite. A savepoint opens a transaction if none is open,
// so it serves in both cases, and nobody need know which it is. It is deferred:
// nothing is read or locked before the caller's statement, which waits for a lock as
// long as it would by itself.
type sqlite struct {
	conn              Conn
	cancellable       Conn          // for what may take long
	journaled         bool          // every database is known to have a rollback journal
	schema            *sqliteSchema // nil: not loaded
	schemaUncommitted bool          // the caller's transaction may have changed it
	schemaLocked      bool          // it was verified under the lock that the caller's transaction holds
	noVersionTable    bool          // the library lacks what a rewrite needs
}

// uncancelledConn is a connection for what takes no time. For every text whose
// context can be cancelled the drivers start a goroutine, which costs more than most
// of these texts.
type uncancelledConn struct{ Conn }

func (c uncancelledConn) Exec(ctx context.Context, text string) (int64, error) {
	if err := ctx.Err(); err != nil {
		return -1, err
	}
	if text != immediate.open[0] { // which may wait for a lock
		ctx = context.WithoutCancel(ctx)
	}
	return c.Conn.Exec(ctx, text)
}

func (c uncancelledConn) Query(ctx context.Context, text string, row func([]any) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.Conn.Query(context.WithoutCancel(ctx), text, row)
}

func (*sqlite) system() string { return "sqlite" }

func (*sqlite) detectServer(context.Context) error { return nil }

func (q *sqlite) forget() { q.journaled, q.schema, q.schemaLocked = false, nil, false }

// noteChanges: PRAGMA journal_mode and ATTACH change what can be undone.
func (q *sqlite) noteChanges(st *statement, _ bool) {
	if st.createsTableAs {
		q.schema, q.schemaLocked, q.schemaUncommitted = nil, false, true
	}
	for _, kind := range st.kinds {
		switch kind {
		case sqlscan.Read, sqlscan.Insert, sqlscan.Upsert, sqlscan.Replace, sqlscan.Update, sqlscan.Delete:
		case sqlscan.Define, sqlscan.Drop, sqlscan.Alter:
			q.schema, q.schemaLocked, q.schemaUncommitted = nil, false, true
		case sqlscan.Begin, sqlscan.Commit, sqlscan.Rollback, sqlscan.Savepoint, sqlscan.Release, sqlscan.RollbackTo:
			if q.schemaLocked = false; q.schemaUncommitted {
				q.schema = nil // after a rollback its version may be given to another schema
			}
		default:
			q.forget()
		}
	}
}

func (*sqlite) ping(context.Context) error { return nil }

func (*sqlite) mode(context.Context) (sqlscan.Mode, error) { return sqlscan.SQLite.DefaultMode(), nil }

func (*sqlite) state(context.Context) (txState, error) { return txUnknown, nil }

// immediate takes the write lock before anything is read: a transaction that has read
// first cannot wait for it.
var immediate = transaction("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")

func (q *sqlite) frame(f *Flight) frame {
	if c, ok := f.counter.(*sqliteCounter); ok && len(c.watermarks) > 0 && f.strategy == ownTx {
		return immediate
	}
	return underSavepoint
}

func (q *sqlite) isNoTransaction(err error) bool {
	text := err.Error()
	return strings.Contains(text, "no such savepoint") || strings.Contains(text, "no transaction is active")
}

func (*sqlite) isTxAborted(error) bool { return false }

func (*sqlite) isTxControlError(error) bool { return false }

func (q *sqlite) txBegan(bool) dbguard.Effect {
	q.schemaLocked = false
	return dbguard.EffectUndone // a transaction cannot begin inside another
}

// txEnded: after a ROLLBACK the version of its schema may be given to another one.
func (q *sqlite) txEnded() txState {
	if q.schemaLocked = false; q.schemaUncommitted {
		q.schema, q.schemaUncommitted = nil, false
	}
	return txIdle
}

func (q *sqlite) counter(f *Flight) counter { return &sqliteCounter{q: q, f: f} }

// schemas are main, temp and the attached databases.
func (q *sqlite) schemas(ctx context.Context) ([]string, error) {
	var names []string
	err := q.conn.Query(ctx, "PRAGMA database_list", func(v []any) error {
		names = append(names, AsText(v[1]))
		return nil
	})
	return names, err
}

// refineReading corrects a text that acts on a temporary table which it creates
// itself, if another table has that name: of several statements mattn's Query runs
// only the last.
func (q *sqlite) refineReading(ctx context.Context, t *sqlscan.Text, form Form) error {
	if t.Statements < 2 || form != Rows {
		return nil
	}
	for i := range t.Ops {
		op := &t.Ops[i]
		x := target{name: nameParts(t, op.Object)}
		if op.Flags&sqlscan.Temporary == 0 || len(x.name) != 1 || keyword(t, op) == "CREATE" {
			continue
		}
		found, err := q.find(ctx, &x)
		if err != nil {
			return err
		}
		if found == existing {
			op.Flags &^= sqlscan.Temporary
		}
	}
	return nil
}

func (q *sqlite) find(ctx context.Context, x *target) (existence, error) {
	schemas, err := q.schemas(ctx)
	if err != nil {
		return existing, err
	}
	only := "" // triggers and indexes have names of their own
	if x.class == "TRIGGER" || x.class == "INDEX" {
		only = " AND type = '" + strings.ToLower(x.class) + "'"
	}
	var parts []string
	for _, schema := range schemas {
		if len(x.name) == 1 || strings.EqualFold(schema, x.name[0]) {
			parts = append(parts, fmt.Sprintf("SELECT %t FROM %s.sqlite_master WHERE name = %s COLLATE NOCASE",
				strings.EqualFold(schema, "temp"), quoteName(schema), quoteString(sqlscan.SQLite, x.name[len(x.name)-1]))+only)
		}
	}
	if len(parts) == 0 {
		return missing, nil
	}
	found := missing
	err = q.conn.Query(ctx, strings.Join(parts, " UNION ALL "), func(v []any) error {
		found = found.and(asBool(v[0]))
		return nil
	})
	if err != nil {
		return existing, err
	}
	return found, nil
}
