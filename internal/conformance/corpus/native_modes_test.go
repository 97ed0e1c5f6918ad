package corpus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// nativePool is what pgxpool and the guard around it have in common.
type nativePool interface {
	nativeSession
	Begin(ctx context.Context) (pgx.Tx, error)
	Close()
}

// nativeSession is what pools and transactions of pgx have in common.
type nativeSession interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

var (
	_ nativePool    = (*pgxpool.Pool)(nil)
	_ nativeSession = pgx.Tx(nil)
)

// A nativeMode is a way through pgx without database/sql.
type nativeMode struct {
	Mode
	run func(ctx context.Context, s nativeSession, text string) (answer, error)
}

var nativeModes = []nativeMode{
	{Mode{Name: "pgx exec"}, nativeExec},
	{Mode{Name: "pgx query"}, nativeQuery},
	{Mode{Name: "pgx query, simple protocol"}, nativeSimple},
	{Mode{Name: "pgx query, closed early"}, nativeOneRow},
	{Mode{Name: "pgx batch"}, nativeBatch},
	{Mode{Name: "pgx tx", inTx: true}, nativeExec},
	{Mode{Name: "pgx tx, nested", inTx: true}, nativeNested},
	{Mode{Name: "pgx tx, prepared", inTx: true}, nativePrepared},
	{Mode{Name: "pgx tx, batch", inTx: true}, nativeBatch},
}

func nativeExec(ctx context.Context, s nativeSession, text string) (answer, error) {
	tag, err := s.Exec(ctx, text)
	return answer{result: tag.String()}, err
}

func nativeQuery(ctx context.Context, s nativeSession, text string) (answer, error) {
	rows, err := s.Query(ctx, text)
	return nativeRows(rows, err)
}

func nativeSimple(ctx context.Context, s nativeSession, text string) (answer, error) {
	rows, err := s.Query(ctx, text, pgx.QueryExecModeSimpleProtocol)
	return nativeRows(rows, err)
}

func nativeRows(rows pgx.Rows, err error) (a answer, _ error) {
	if err != nil {
		return a, err
	}
	defer rows.Close()
	var b strings.Builder
	n := 0
	for ; rows.Next(); n++ {
		values, err := rows.Values()
		if err != nil {
			return a, err
		}
		fmt.Fprintf(&b, "%T%q\n", values, fmt.Sprint(values...))
	}
	a.rows = b.String()
	if err := rows.Err(); err != nil {
		return answer{}, err
	}
	var names []string
	for _, f := range rows.FieldDescriptions() {
		names = append(names, f.Name)
	}
	a.shape = fmt.Sprintf("%q: %d rows", names, n)
	a.result = rows.CommandTag().String()
	return a, nil
}

func nativeOneRow(ctx context.Context, s nativeSession, text string) (a answer, err error) {
	rows, err := s.Query(ctx, text)
	if err != nil {
		return a, err
	}
	rows.Next()
	rows.Close()
	return a, rows.Err()
}

// nativeBatch has a harmless statement before and after. pgx prepares a batch before it
// sends it, and prefixes the error of that; the prefix is not compared.
func nativeBatch(ctx context.Context, s nativeSession, text string) (a answer, err error) {
	defer func() {
		if server := new(pgconn.PgError); errors.As(err, &server) && !errors.Is(err, dbguard.ErrRefused) {
			err = server
		}
	}()
	b := &pgx.Batch{}
	b.Queue("SELECT 1")
	b.Queue(text)
	b.Queue("SELECT 2")
	results := s.SendBatch(ctx, b)
	if _, err := results.Exec(); err != nil {
		return a, errors.Join(err, results.Close())
	}
	a, err = nativeRows(results.Query())
	return a, errors.Join(err, results.Close())
}

func nativePrepared(ctx context.Context, s nativeSession, text string) (answer, error) {
	if _, err := s.(pgx.Tx).Prepare(ctx, "prepared", text); err != nil {
		return answer{}, err
	}
	return nativeQuery(ctx, s, "prepared")
}

func nativeNested(ctx context.Context, s nativeSession, text string) (a answer, err error) {
	err = pgx.BeginFunc(ctx, s.(pgx.Tx), func(tx pgx.Tx) error {
		a, err = nativeExec(ctx, tx, text)
		return err
	})
	return a, err
}

// runNative is Run without database/sql.
func (f *fixture) runNative(t *testing.T, m nativeMode, open func(*target.Database) nativePool) Outcome {
	t.Helper()
	return f.try(t, func(ctx context.Context) Outcome {
		pool := open(f.db)
		defer pool.Close()
		return runNativeOn(ctx, pool, m, f.entry.Statement)
	})
}

func runNativeOn(ctx context.Context, pool nativePool, m nativeMode, text string) (o Outcome) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	if m.inTx {
		return runNativeInTx(ctx, pool, m, text)
	}
	var was, is string
	const pid = "SELECT pg_backend_pid()::text"
	if err := pool.QueryRow(ctx, pid).Scan(&was); err != nil {
		return Outcome{Err: fmt.Errorf("before the statement: %w", err)}
	}
	o.Answer, o.Err = m.run(ctx, pool, text)
	o.Alive = pool.QueryRow(ctx, pid).Scan(&is)
	o.Replaced = o.Alive == nil && was != is
	return o
}

func runNativeInTx(ctx context.Context, pool nativePool, m nativeMode, text string) (o Outcome) {
	tx, err := pool.Begin(ctx)
	if err != nil {
		return Outcome{Err: fmt.Errorf("before the statement: %w", err)}
	}
	if _, err := tx.Exec(ctx, "INSERT INTO "+marker+" VALUES (1)"); err != nil {
		return Outcome{Err: errors.Join(fmt.Errorf("before the statement: %w", err), tx.Rollback(ctx))}
	}
	o.Answer, o.Err = m.run(ctx, tx, text)
	var one int
	o.Alive = tx.QueryRow(ctx, "SELECT 1").Scan(&one)
	if err := tx.Commit(ctx); err != nil {
		o.Err = errors.Join(o.Err, fmt.Errorf("commit: %w", err))
	}
	return o
}
