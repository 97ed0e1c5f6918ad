package property

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/snapshot"
)

// Other statements in the caller's transaction: a counted change before the statement, and a
// row after it that shows that the transaction still works.
const (
	inside = "UPDATE log SET n = n + 10 WHERE n = 2"
	after  = "INSERT INTO log VALUES ('after', 0)"
)

// An outcome is what a run of a case has shown.
type outcome struct {
	err     error  // of the statement
	prelude error  // of what comes before it
	answer  string // what the caller saw of a success
	alive   error  // of what comes after it in the transaction
	end     error  // of what comes after it in the transaction
	next    error  // of a read afterwards
	other   bool   // the pool has changed the connection

	// before and afterwards are the rows around the statement, as its transaction
	// sees them; final is what has been committed.
	before, afterwards, final *snapshot.Snapshot
}

// handle is what *sql.Conn and *sql.Tx have in common.
type handle interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// run runs the case on a side.
func (s *side) run(ctx context.Context, c *testcase) (o outcome) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return outcome{prelude: err}
	}
	defer conn.Close()
	was, err := s.connectionID(ctx, conn)
	if err != nil {
		return outcome{prelude: err}
	}
	for _, text := range c.Before {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return outcome{prelude: err}
		}
	}
	if c.Wrap == autocommit {
		o.statement(ctx, s, conn, c)
	} else {
		o.transaction(ctx, s, conn, c)
	}
	for _, text := range c.After {
		_, err := conn.ExecContext(ctx, text)
		o.next = errors.Join(o.next, err)
	}
	is, err := s.connectionID(ctx, conn)
	o.next = errors.Join(o.next, err)
	o.other = err == nil && was != is
	return o
}

// statement sends the statement; the bare side reads the rows before and after it.
func (o *outcome) statement(ctx context.Context, s *side, h handle, c *testcase) {
	if !s.guarded {
		o.before = s.readRows(ctx, h, &o.prelude)
	}
	o.answer, o.err = c.send(c.context(ctx), h)
	if !s.guarded && o.err == nil {
		o.afterwards = s.readRows(ctx, h, &o.prelude)
	}
}

func (o *outcome) transaction(ctx context.Context, s *side, conn *sql.Conn, c *testcase) {
	h, end, err := c.begin(ctx, conn)
	if err != nil {
		o.prelude = err
		return
	}
	if _, err := h.ExecContext(dbguard.AtMost(ctx, 100), inside); err != nil {
		o.prelude = errors.Join(err, end(false))
		return
	}
	if c.Savepoint {
		if _, err := h.ExecContext(ctx, "SAVEPOINT mine"); err != nil {
			o.prelude = errors.Join(err, end(false))
			return
		}
	}
	o.statement(ctx, s, h, c)
	_, o.alive = h.ExecContext(ctx, after)
	o.end = end(c.Keep)
}

// begin opens the caller's transaction.
func (c *testcase) begin(ctx context.Context, conn *sql.Conn) (h handle, end func(keep bool) error, err error) {
	if c.Wrap == inTx {
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return nil, nil, err
		}
		return tx, func(keep bool) error {
			if !keep {
				return tx.Rollback()
			}
			err := tx.Commit()
			if err != nil {
				_ = tx.Rollback() // SQLite leaves it open
			}
			return err
		}, nil
	}
	_, err = conn.ExecContext(ctx, "BEGIN")
	return conn, func(keep bool) error {
		if keep {
			_, err := conn.ExecContext(ctx, "COMMIT")
			if err != nil {
				_, _ = conn.ExecContext(ctx, "ROLLBACK")
			}
			return err
		}
		_, err := conn.ExecContext(ctx, "ROLLBACK")
		return err
	}, err
}

// send sends the statement by the method of the case.
func (c *testcase) send(ctx context.Context, h handle) (string, error) {
	switch c.Method {
	case execArgs:
		text, args := c.withArgs()
		return result(h.ExecContext(ctx, text, args...))
	case queryAll, queryOne:
		rows, err := h.QueryContext(ctx, literal(c.Text))
		if err != nil {
			return "", err
		}
		return c.rows(rows)
	case prepared:
		stmt, err := h.PrepareContext(ctx, literal(c.Text))
		if err != nil {
			return "", err
		}
		answer, err := result(stmt.ExecContext(ctx))
		return answer, errors.Join(err, stmt.Close())
	}
	return result(h.ExecContext(ctx, literal(c.Text)))
}

func result(r sql.Result, err error) (string, error) {
	if err != nil {
		return "", err
	}
	n, nErr := r.RowsAffected()
	id, idErr := r.LastInsertId()
	return fmt.Sprintf("%d rows affected (%v), last insert id %d (%v)", n, nErr, id, idErr), nil
}

// rows reads the answer to a Query, or one row of it.
func (c *testcase) rows(rows *sql.Rows) (string, error) {
	columns, err := rows.Columns()
	if err != nil {
		return "", errors.Join(err, rows.Close())
	}
	var lines []string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return "", errors.Join(err, rows.Close())
		}
		lines = append(lines, fmt.Sprint(values))
		if c.Method == queryOne {
			break
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return "", unjoin(err)
	}
	slices.Sort(lines)
	if c.Method == queryOne || c.Class == "explain analyze" {
		lines = nil // the order of rows and the time that a plan took do not matter
	}
	return fmt.Sprint(columns, strings.Join(lines, " ")), nil
}

// unjoin is the first of several errors: Err and Close return the same one.
func unjoin(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}
