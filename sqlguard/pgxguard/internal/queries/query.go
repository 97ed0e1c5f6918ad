package queries

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// User is a row of users.
type User struct {
	ID   int32
	Name string
}

// GetUser is a query of the kind :one.
func (q *Queries) GetUser(ctx context.Context, id int32) (User, error) {
	row := q.db.QueryRow(ctx, "SELECT id, name FROM users WHERE id = $1 LIMIT 1", id)
	var i User
	err := row.Scan(&i.ID, &i.Name)
	return i, err
}

// DeleteUser is a query of the kind :exec.
func (q *Queries) DeleteUser(ctx context.Context, id int32) error {
	_, err := q.db.Exec(ctx, "DELETE FROM users WHERE id = $1", id)
	return err
}

// RenameUsers is a query of the kind :execrows.
func (q *Queries) RenameUsers(ctx context.Context, name string, from int32) (int64, error) {
	result, err := q.db.Exec(ctx, "UPDATE users SET name = $1 WHERE id >= $2", name, from)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected(), nil
}

// PurgeUsers is a query of the kind :many.
func (q *Queries) PurgeUsers(ctx context.Context, from int32) ([]User, error) {
	rows, err := q.db.Query(ctx, "DELETE FROM users WHERE id >= $1 RETURNING id, name", from)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var items []User
	for rows.Next() {
		var i User
		if err := rows.Scan(&i.ID, &i.Name); err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return items, nil
}

// iteratorForAddUsers feeds a query of the kind :copyfrom.
type iteratorForAddUsers struct {
	rows                 []User
	skippedFirstNextCall bool
}

func (r *iteratorForAddUsers) Next() bool {
	if len(r.rows) == 0 {
		return false
	}
	if !r.skippedFirstNextCall {
		r.skippedFirstNextCall = true
		return true
	}
	r.rows = r.rows[1:]
	return len(r.rows) > 0
}

func (r iteratorForAddUsers) Values() ([]interface{}, error) {
	return []interface{}{r.rows[0].ID, r.rows[0].Name}, nil
}

func (r iteratorForAddUsers) Err() error { return nil }

// AddUsers is a query of the kind :copyfrom.
func (q *Queries) AddUsers(ctx context.Context, arg []User) (int64, error) {
	return q.db.CopyFrom(ctx, []string{"users"}, []string{"id", "name"}, &iteratorForAddUsers{rows: arg})
}

// DeleteEachBatchResults is what a query of the kind :batchexec returns.
type DeleteEachBatchResults struct {
	br     pgx.BatchResults
	tot    int
	closed bool
}

// ErrBatchAlreadyClosed is told once the results were closed.
var ErrBatchAlreadyClosed = errors.New("batch already closed")

// DeleteEach is a query of the kind :batchexec.
func (q *Queries) DeleteEach(ctx context.Context, ids []int32) *DeleteEachBatchResults {
	batch := &pgx.Batch{}
	for _, id := range ids {
		batch.Queue("DELETE FROM users WHERE id = $1", id)
	}
	br := q.db.SendBatch(ctx, batch)
	return &DeleteEachBatchResults{br, len(ids), false}
}

// Exec calls f with the result of each.
func (b *DeleteEachBatchResults) Exec(f func(int, error)) {
	defer b.br.Close()
	for t := 0; t < b.tot; t++ {
		if b.closed {
			if f != nil {
				f(t, ErrBatchAlreadyClosed)
			}
			continue
		}
		_, err := b.br.Exec()
		if f != nil {
			f(t, err)
		}
	}
}

// Close closes the results.
func (b *DeleteEachBatchResults) Close() error {
	b.closed = true
	return b.br.Close()
}
