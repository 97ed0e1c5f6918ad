package dbguard_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

func TestRolledBackTransaction(t *testing.T) {
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	ctx := dbguard.Budget(dbguard.Allow(background, "test", dbguard.DropTable("old")), 10)
	l := g.NewLedger()
	cascade := dbguard.Count{Rows: 3, Tables: []dbguard.TableRows{{Table: "users", Rows: 1}, {Table: "posts", Rows: 2, Via: "ON DELETE CASCADE"}}}
	require.NoError(t, runIn(ctx, g, deleteFrom("users"), cascade, l))
	require.NoError(t, runIn(ctx, g, deleteFrom("users"), rows(4), l))
	require.NoError(t, runIn(ctx, g, dropTable("old"), rows(0), l))
	require.ErrorIs(t, runIn(ctx, g, deleteFrom("users"), rows(4), l), dbguard.OverBudget, "3 are left")
	number := rec.events[0].Transaction
	require.NotZero(t, number)
	for _, e := range rec.events {
		require.Equal(t, number, e.Transaction)
		require.False(t, e.TransactionEnd)
	}
	rec.events = nil

	require.NoError(t, l.End(ctx, dbguard.EffectUndone, nil))
	e := rec.only(t)
	e.Site = ""
	require.Equal(t, dbguard.Event{
		Op: dbguard.Op{
			System: "sqlite", Namespace: "shop", Name: "ROLLBACK", Summary: "ROLLBACK", Text: "ROLLBACK", Statements: 1,
		},
		Outcome: dbguard.OutcomeUndone, Effect: dbguard.EffectUndone, Transaction: number, TransactionEnd: true,
		Rows: 7, Tables: []dbguard.TableRows{{Table: "users", Rows: 5}, {Table: "posts", Rows: 2}}, Limit: -1,
	}, e)

	require.NoError(t, l.End(ctx, dbguard.EffectUndone, nil))
	rec.none(t)
	require.NoError(t, runIn(ctx, g, deleteFrom("users"), rows(0), l))
	require.NotEqual(t, number, rec.only(t).Transaction, "the connection's next transaction is another one")
	require.NoError(t, run(ctx, g, deleteFrom("users"), rows(10)), "all was given back")
	require.Zero(t, rec.only(t).Transaction)
	require.ErrorIs(t, run(ctx, g, deleteFrom("users"), rows(1)), dbguard.OverBudget, "and only once")
}

func TestCommittedTransaction(t *testing.T) {
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	ctx := dbguard.Budget(background, 2)
	l := g.NewLedger()
	require.NoError(t, runIn(ctx, g, deleteFrom("users"), rows(2), l))
	rec.events = nil
	require.NoError(t, l.End(ctx, dbguard.EffectApplied, nil))
	rec.none(t)
	require.NoError(t, l.End(ctx, dbguard.EffectUndone, nil), "the next transaction starts with nothing")
	require.ErrorIs(t, run(ctx, g, deleteFrom("users"), rows(1)), dbguard.OverBudget)
}

func TestUnconfirmedTransaction(t *testing.T) {
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	ctx := dbguard.Budget(background, 2)
	l := g.NewLedger()
	require.NoError(t, runIn(ctx, g, deleteFrom("users"), rows(2), l))
	rec.events = nil
	lost := errors.New("broken pipe")
	err := l.End(ctx, dbguard.EffectUnknown, lost)
	require.EqualError(t, violation(t, err), "cleanup.go:42: DG208 Unconfirmed: the reply to COMMIT was lost; "+
		"whether anything was changed is unknown (broken pipe). Look at the rows before running it again.")
	require.ErrorIs(t, err, lost)
	require.NotErrorIs(t, err, dbguard.ErrRefused)
	e := rec.only(t)
	require.Equal(t, dbguard.OutcomeUnknown, e.Outcome)
	require.True(t, e.TransactionEnd)
	require.EqualValues(t, 2, e.Rows)
	require.Equal(t, dbguard.Unconfirmed, e.Rule)
	require.ErrorIs(t, run(ctx, g, deleteFrom("users"), rows(1)), dbguard.OverBudget, "what may have happened stays charged")
}

func TestTransactionsThatDestroyedNothing(t *testing.T) {
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	lost := errors.New("broken pipe")
	l := g.NewLedger()
	require.NoError(t, runIn(atMost(1), g, deleteFrom("users"), rows(0), l))
	rec.events = nil
	for _, effect := range []dbguard.Effect{dbguard.EffectUndone, dbguard.EffectApplied, dbguard.EffectUnknown} {
		require.True(t, l.End(background, effect, lost) == lost, "the driver's error as it is")
	}
	var none *dbguard.Ledger
	require.True(t, none.End(background, dbguard.EffectUnknown, lost) == lost)
	rec.none(t)
}

// Rows that could not be counted are not no rows.
func TestUncountedTransaction(t *testing.T) {
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	l := g.NewLedger()
	ctx := dbguard.Allow(atMost(1), "test", dbguard.Opaque())
	require.NoError(t, runIn(ctx, g, deleteFrom("users"), rows(1), l))
	require.NoError(t, runIn(ctx, g, deleteFrom("users"), rows(-1), l))
	rec.events = nil
	require.ErrorIs(t, l.End(ctx, dbguard.EffectUnknown, errors.New("broken pipe")), dbguard.Unconfirmed)
	require.EqualValues(t, -1, rec.only(t).Rows)
}

// A table that is dropped in a transaction is there again after its rollback.
func TestStructureInATransaction(t *testing.T) {
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	ctx := dbguard.Allow(background, "test", dbguard.DropTable("old"))
	l := g.NewLedger()
	require.NoError(t, runIn(ctx, g, dropTable("old"), rows(0), l))
	number := rec.only(t).Transaction
	require.NoError(t, l.End(ctx, dbguard.EffectUndone, nil))
	e := rec.only(t)
	require.True(t, e.TransactionEnd)
	require.Equal(t, number, e.Transaction)
}
