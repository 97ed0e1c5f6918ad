package dbguard_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A read that calls functions is refused for what they did, and never for
// being a read.
func TestAsk(t *testing.T) {
	ask := dbguard.Op{System: "postgresql", Name: "SELECT", Statements: 1, Acts: []dbguard.Act{{Verb: dbguard.Ask}}}
	stacked := ask
	stacked.Statements = 2
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	allowed := dbguard.Allow(background, "reviewed", dbguard.Opaque())
	for _, op := range []dbguard.Op{ask, stacked} {
		require.NoError(t, run(background, g, op, rows(0)))
		require.NoError(t, run(atMost(1), g, op, rows(0)))
		require.NoError(t, run(dbguard.Exactly(background, 1), g, op, rows(0)))
	}
	assert.Empty(t, rec.events, "nobody is told of a read")
	assert.ErrorIs(t, run(background, g, ask, rows(1)), dbguard.RuleOpaque)
	assert.ErrorIs(t, run(background, g, stacked, rows(1)), dbguard.Stacked)
	assert.ErrorIs(t, run(atMost(1), g, stacked, rows(1)), dbguard.Stacked)
	assert.ErrorIs(t, run(atMost(1), g, ask, rows(2)), dbguard.OverLimit)
	assert.ErrorIs(t, run(dbguard.Exactly(background, 1), g, ask, rows(2)), dbguard.OverLimit)
	assert.NoError(t, run(dbguard.Exactly(background, 3), g, ask, rows(2)), "it names no rows that could be too few")
	assert.ErrorIs(t, run(background, g, ask, dbguard.Count{Structure: true}), dbguard.RuleOpaque)
	assert.NoError(t, run(atMost(2), g, ask, rows(2)))
	assert.NoError(t, run(allowed, g, ask, rows(2)))
}

// An INSERT is refused for the existing rows that it changes, and never for those
// that it adds.
func TestInsert(t *testing.T) {
	insert := op("INSERT", "posts", "INSERT INTO posts (id) VALUES (?)", dbguard.Act{Verb: dbguard.Insert})
	stacked := insert
	stacked.Statements = 2
	changed := dbguard.Count{Rows: 2, Tables: []dbguard.TableRows{{Table: "counters", Rows: 2, Via: "trigger"}}}
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	for _, op := range []dbguard.Op{insert, stacked} {
		require.NoError(t, run(background, g, op, rows(0)))
		require.NoError(t, run(dbguard.Exactly(background, 1), g, op, rows(0)))
	}
	assert.Empty(t, rec.events, "nobody is told of rows that are added")
	err := run(background, g, insert, changed)
	require.ErrorIs(t, err, dbguard.Unbounded)
	assert.ErrorContains(t, err, "INSERT on posts has no bound: 2 rows of counters (trigger); nothing was changed.")
	assert.ErrorIs(t, run(atMost(1), g, insert, changed), dbguard.OverLimit)
	assert.ErrorIs(t, run(atMost(2), g, stacked, changed), dbguard.Stacked)
	assert.NoError(t, run(atMost(2), g, insert, changed))
	assert.NoError(t, run(dbguard.Exactly(background, 2), g, insert, changed), "which rows it names is not what Exactly asks")
	assert.NoError(t, run(background, newGuard(t, dbguard.Policy{Limits: map[string]int64{"posts": 2}}), insert, changed))
	assert.Len(t, rec.events, 5)
}

// A span that may not be needed is created once it is, with the time at which the
// operation began.
func TestSpanOfWhatAsks(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	g := newGuard(t, dbguard.Policy{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))})
	insert := op("INSERT", "posts", "INSERT INTO posts (id) VALUES (?)", dbguard.Act{Verb: dbguard.Insert})
	require.NoError(t, run(background, g, insert, rows(0)))
	assert.Empty(t, spans.Started())
	before := time.Now()
	require.NoError(t, run(atMost(2), g, insert, rows(2)))
	require.Len(t, spans.Ended(), 1)
	assert.WithinRange(t, spans.Ended()[0].StartTime(), before, spans.Ended()[0].EndTime())
}

// What an engine may have the server judge.
func TestPlain(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	begin := func(ctx context.Context, g *dbguard.Guard) *dbguard.Operation {
		o, err := g.Begin(ctx, deleteFrom("users"), nil)
		require.NoError(t, err)
		return o
	}
	assert.True(t, begin(atMost(1), g).Plain())
	watched := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{&recorder{}}})
	assert.False(t, begin(atMost(1), watched).Plain())
	shared := begin(dbguard.Budget(atMost(1), 9), g)
	assert.False(t, shared.Plain())
	assert.True(t, shared.Shares())
	exact := begin(dbguard.Exactly(background, 3), g)
	assert.False(t, exact.Plain())
	assert.EqualValues(t, 3, exact.AtLeast())
	assert.False(t, begin(dbguard.Allow(atMost(1), "reviewed", dbguard.Opaque()), g).Plain())
}
