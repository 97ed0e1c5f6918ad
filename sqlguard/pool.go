package sqlguard

import (
	"context"
	"database/sql"
	"sync/atomic"

	"github.com/dbguard/dbguard-go/dbguard"
)

// pool is the *sql.DB for which a connector opens connections, if it is known.
type pool struct {
	db       *sql.DB
	reported atomic.Bool
}

// judge checks the pool's limit when a connection is opened, since SetMaxOpenConns is
// called after Open. A pool without a limit is reported once; if the policy denies
// it, no connection is opened.
func (p *pool) judge(ctx context.Context, g *dbguard.Guard) error {
	if p.db == nil || p.reported.Load() || p.db.Stats().MaxOpenConnections > 0 {
		return nil
	}
	op, err := g.Begin(ctx, dbguard.Op{
		Name: "POOL", Summary: "POOL", Statements: 1,
		Acts: []dbguard.Act{{Verb: dbguard.Pool, Note: "sql.DB.SetMaxOpenConns was not called"}},
	}, nil)
	if err != nil {
		return err
	}
	if len(op.Findings()) == 0 || p.reported.Swap(true) {
		op.Abandon()
		return nil
	}
	return op.End(dbguard.EffectNone, nil)
}
