package pgxguard_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Each benchmark does the same on the bare pool and on the guarded one.
func BenchmarkPool(b *testing.B) {
	r := newRig(b)
	_, err := r.bare.Exec(b.Context(), "CREATE TABLE work (id int PRIMARY KEY, n int NOT NULL DEFAULT 0); INSERT INTO work (id) SELECT generate_series(1, 1000)")
	require.NoError(b, err)
	ctx := dbguard.AtMost(context.Background(), 1)
	const update = "UPDATE work SET n = n + 1 WHERE id = $1"
	for _, c := range []struct {
		name string
		do   func(h handle, i int) error
	}{
		{"read", func(h handle, i int) error {
			var n int
			return h.QueryRow(ctx, "SELECT n FROM work WHERE id = $1", i%1000+1).Scan(&n)
		}},
		{"update", func(h handle, i int) error {
			_, err := h.Exec(ctx, update, i%1000+1)
			return err
		}},
		{"batch of 10 reads", func(h handle, i int) error {
			q := &pgx.Batch{}
			for j := range 10 {
				q.Queue("SELECT n FROM work WHERE id = $1", (i+j)%1000+1)
			}
			return h.SendBatch(ctx, q).Close()
		}},
		{"batch of 10 updates", func(h handle, i int) error {
			q := &pgx.Batch{}
			for j := range 10 {
				q.Queue(update, (i+j)%1000+1)
			}
			return h.SendBatch(ctx, q).Close()
		}},
		{"transaction of 10 updates", func(h handle, i int) error {
			return pgx.BeginFunc(ctx, h, func(tx pgx.Tx) error {
				for j := range 10 {
					if _, err := tx.Exec(ctx, update, (i+j)%1000+1); err != nil {
						return err
					}
				}
				return nil
			})
		}},
	} {
		for _, h := range []struct {
			name string
			handle
		}{{"direct", r.bare}, {"guarded", r}} {
			b.Run(c.name+"/"+h.name, func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := c.do(h, i); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
