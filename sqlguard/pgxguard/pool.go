package pgxguard

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Pool is a pgxpool.Pool behind a guard. Its methods are pgxpool's, and do the same except for
// what is refused. It satisfies interfaces with these methods: sqlc's DBTX, pgx.BeginFunc.
type Pool struct {
	base     *pgxpool.Pool
	settings settings
}

// New is pgxpool.NewWithConfig behind a guard. The configuration comes from
// pgxpool.ParseConfig and is copied; its tracer and hooks keep working. Like pgxpool, New
// does not connect yet. A nil configuration, a nil Guard and a configuration that is
// guarded already are errors.
func New(ctx context.Context, cfg *pgxpool.Config, g *dbguard.Guard, opts ...Option) (*Pool, error) {
	s, err := newSettings(g, opts)
	if err != nil {
		return nil, err
	}
	if cfg == nil || cfg.ConnConfig == nil {
		return nil, errors.New("pgxguard: New without a configuration: pgxpool.ParseConfig makes one")
	}
	cfg = cfg.Copy()
	if err := installTracer(cfg.ConnConfig, s); err != nil {
		return nil, err
	}
	if before := cfg.BeforeConnect; before != nil {
		cfg.BeforeConnect = func(ctx context.Context, cc *pgx.ConnConfig) error {
			if err := before(ctx, cc); err != nil {
				return err
			}
			if _, ok := cc.Tracer.(*tracer); ok {
				return nil
			}
			return installTracer(cc, s) // the hook has replaced the tracer
		}
	}
	base, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &Pool{base, s}, nil
}

// installTracer puts the guard's tracer before the user's.
func installTracer(cc *pgx.ConnConfig, s settings) error {
	if _, ok := cc.Tracer.(*tracer); ok {
		return errors.New("pgxguard: the configuration is guarded already: two guards would count everything twice")
	}
	cc.Tracer = &tracer{settings: s, user: newUserTracer(cc.Tracer)}
	return nil
}

// Unwrap is the pool for code that needs a *pgxpool.Pool. Reads work there as ever, and so do
// inserts that only add rows. What may delete or change rows is refused, because it would
// not be counted, unless dbguard.Opaque is granted.
func (p *Pool) Unwrap() *pgxpool.Pool { return p.base }

// Close closes all connections, and waits for those that are in use.
func (p *Pool) Close() { p.base.Close() }

// Reset closes all connections, those in use when they come back.
func (p *Pool) Reset() { p.base.Reset() }

// Stat is a snapshot of the pool's statistics.
func (p *Pool) Stat() *pgxpool.Stat { return p.base.Stat() }

// Config is a copy of the configuration.
func (p *Pool) Config() *pgxpool.Config { return p.base.Config() }

// Ping asks a connection whether it is alive.
func (p *Pool) Ping(ctx context.Context) error { return p.base.Ping(ctx) }

// Acquire takes a connection out of the pool, until its Release.
func (p *Pool) Acquire(ctx context.Context) (*Conn, error) {
	c, err := p.base.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return &Conn{pooled: c, guard: guardOf(c.Conn(), p.settings)}, nil
}

// AcquireFunc calls f with a connection.
func (p *Pool) AcquireFunc(ctx context.Context, f func(*Conn) error) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return f(c)
}

// Exec runs a statement within its bounds.
func (p *Pool) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	c, err := p.Acquire(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer c.Release()
	return c.Exec(ctx, sql, args...)
}

// Query runs a statement within its bounds. A refusal is the error of Query or, if the rows
// stream, of Rows.Err at their end.
func (p *Pool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	c, err := p.Acquire(ctx)
	if err != nil {
		return failed(err), err
	}
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		c.Release()
		return failed(err), err
	}
	return &pooledRows{rows, c}, nil
}

// QueryRow is Query for one row; Scan returns the verdict.
func (p *Pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	c, err := p.Acquire(ctx)
	if err != nil {
		return failedRows{err}
	}
	return pooledRow{c.QueryRow(ctx, sql, args...), c}
}

// SendBatch runs the statements of a batch, each within its bounds.
func (p *Pool) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	c, err := p.Acquire(ctx)
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	return c.guard.sendBatch(ctx, c.pooled.Conn(), b, c)
}

// CopyFrom inserts rows. Changes by triggers need a bound.
func (p *Pool) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	c, err := p.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Release()
	return c.CopyFrom(ctx, table, columns, src)
}

// Begin begins a transaction. It is guarded, and so are those nested in it.
func (p *Pool) Begin(ctx context.Context) (pgx.Tx, error) {
	return p.BeginTx(ctx, pgx.TxOptions{})
}

// BeginTx begins a transaction with options.
func (p *Pool) BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	c, err := p.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	t, err := c.guard.begin(ctx, c.pooled.Conn(), opts, c)
	if err != nil {
		c.Release()
		return nil, err
	}
	return t, nil
}
