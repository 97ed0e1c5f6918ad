package pgxguard_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard/internal/queries"
)

// open is how the examples come to their pool.
func open(ctx context.Context) *pgxguard.Pool {
	cfg, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	g, err := dbguard.New(dbguard.Policy{})
	if err != nil {
		log.Fatal(err)
	}
	pool, err := pgxguard.New(ctx, cfg, g)
	if err != nil {
		log.Fatal(err)
	}
	return pool
}

func ExampleNew() {
	ctx := context.Background()
	pool := open(ctx)
	defer pool.Close()

	_, err := pool.Exec(ctx, "DELETE FROM users WHERE id = $1", 7)
	fmt.Println(errors.Is(err, dbguard.Unbounded)) // nobody said how many rows

	tag, err := pool.Exec(dbguard.AtMost(ctx, 1), "DELETE FROM users WHERE id = $1", 7)
	fmt.Println(tag, err)
}

// Code that sqlc generates takes the pool as it takes pgx's own.
func ExamplePool_sqlc() {
	ctx := context.Background()
	pool := open(ctx)
	defer pool.Close()

	q := queries.New(pool)
	if err := q.DeleteUser(dbguard.AtMost(ctx, 1), 7); err != nil {
		log.Print(err)
	}
}

// A refusal leaves the transaction as it was before the statement.
func ExamplePool_Begin() {
	ctx := context.Background()
	pool := open(ctx)
	defer pool.Close()

	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(dbguard.AtMost(ctx, 10), "UPDATE users SET seen = now() WHERE name LIKE $1", "a%")
		if errors.Is(err, dbguard.OverLimit) {
			return nil // more than ten: none was changed
		}
		return err
	})
	fmt.Println(err)
}

// The rows of RETURNING are those of a statement that kept to its bound.
func ExamplePool_Query() {
	ctx := context.Background()
	pool := open(ctx)
	defer pool.Close()

	rows, err := pool.Query(dbguard.AtMost(ctx, 100), "DELETE FROM sessions WHERE expires < now() RETURNING id")
	if err != nil {
		log.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	fmt.Println(len(ids), err)
}

// Each statement of a batch has the bound for itself; the batch stands or falls
// as a whole.
func ExamplePool_SendBatch() {
	ctx := context.Background()
	pool := open(ctx)
	defer pool.Close()

	b := &pgx.Batch{}
	for _, id := range []int{7, 8, 9} {
		b.Queue("DELETE FROM users WHERE id = $1", id)
	}
	fmt.Println(pool.SendBatch(dbguard.AtMost(ctx, 1), b).Close())
}

// A library that takes nothing but a *pgxpool.Pool gets one. What it deletes
// there is counted by nobody: somebody has to say so.
func ExamplePool_Unwrap() {
	ctx := context.Background()
	pool := open(ctx)
	defer pool.Close()

	ctx = dbguard.Allow(ctx, "the job queue deletes its own finished jobs", dbguard.Opaque())
	_, err := pool.Unwrap().Exec(dbguard.AtMost(ctx, 1), "DELETE FROM jobs WHERE done")
	fmt.Println(err)
}
