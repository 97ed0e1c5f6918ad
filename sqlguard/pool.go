package sqlguard

import (
	"context"
	"database/sql"
	"sync/atomic"

	"github.com/dbguard/dbguard-go/dbguard"
)

// pool is the *sql.DB that a connector opens connections for, where it is known.
type pool struct {
	db   *sql.DB
	told atomic.Bool
}

// judge looks at the pool's limit when a connection is opened: SetMaxOpenConns
// comes after Open. A pool that may grow without end is told of once; where the
// policy denies it, no connection is opened.
func (p *pool) judge(ctx context.Context, g *dbguard.Guard) error {
	if p.db == nil || p.told.Load() || p.db.Stats().MaxOpenConnections > 0 {
		return nil
	}
	op, err := g.Begin(ctx, dbguard.Op{
		Name: "POOL", Summary: "POOL", Statements: 1,
		Acts: []dbguard.Act{{Verb: dbguard.Pool, Note: "sql.DB.SetMaxOpenConns was not called"}},
	}, nil)
	if err != nil {
		return err
	}
	if len(op.Findings()) == 0 || p.told.Swap(true) {
		op.Abandon()
		return nil
	}
	return op.End(dbguard.EffectNone, nil)
}
