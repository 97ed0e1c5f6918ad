package dbguard_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/dbguard/dbguard-go/dbguard"
)

var background = context.Background()

// newGuard is a guard whose policy must be right.
func newGuard(t testing.TB, p dbguard.Policy) *dbguard.Guard {
	t.Helper()
	g, err := dbguard.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// run does what an adapter does with an operation that turns out to affect count.
func run(ctx context.Context, g *dbguard.Guard, op dbguard.Op, count dbguard.Count) error {
	return runIn(ctx, g, op, count, nil)
}

func runIn(ctx context.Context, g *dbguard.Guard, op dbguard.Op, count dbguard.Count, ledger *dbguard.Ledger) error {
	o, err := g.Begin(ctx, op, ledger)
	if err != nil {
		return err
	}
	if err := o.Settle(count); err != nil {
		return o.End(dbguard.EffectUndone, nil)
	}
	return o.End(dbguard.EffectApplied, nil)
}

// rows is a count without tables.
func rows(n int64) dbguard.Count { return dbguard.Count{Rows: n} }

// violation is err as a *Violation that seems to come from cleanup.go:42.
func violation(t testing.TB, err error) *dbguard.Violation {
	t.Helper()
	var v *dbguard.Violation
	if !errors.As(err, &v) {
		t.Fatalf("got %v, want a *Violation", err)
	}
	v.Site = "cleanup.go:42"
	return v
}

// op is an operation of one act.
func op(name, object, text string, act dbguard.Act) dbguard.Op {
	act.Object = object
	summary := name
	if object != "" {
		summary += " " + object
	}
	return dbguard.Op{
		System: "sqlite", Namespace: "shop", Name: name, Summary: summary,
		Text: text, Statements: 1, Acts: []dbguard.Act{act},
	}
}

func deleteFrom(table string) dbguard.Op {
	return op("DELETE", table, "DELETE FROM "+table+" WHERE id = ?", dbguard.Act{Verb: dbguard.Delete})
}

func deleteAll(table string) dbguard.Op {
	return op("DELETE", table, "DELETE FROM "+table, dbguard.Act{Verb: dbguard.Delete, Filter: dbguard.NoFilter})
}

func dropTable(table string) dbguard.Op {
	return op("DROP TABLE", table, "DROP TABLE "+table, dbguard.Act{Verb: dbguard.Remove})
}

// recorder is an Observer that keeps the events.
type recorder struct {
	mu     sync.Mutex
	events []dbguard.Event
}

func (r *recorder) Observe(_ context.Context, e dbguard.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// only is the single event so far, and forgets it.
func (r *recorder) only(t testing.TB) dbguard.Event {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) != 1 {
		t.Fatalf("%d events, want 1: %+v", len(r.events), r.events)
	}
	e := r.events[0]
	r.events = nil
	return e
}

func (r *recorder) none(t testing.TB) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) != 0 {
		t.Fatalf("%d events, want none: %+v", len(r.events), r.events)
	}
}
