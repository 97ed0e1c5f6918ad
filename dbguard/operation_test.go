package dbguard_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// How an operation ends, depending on what the adapter knows at its end.
func TestOutcomes(t *testing.T) {
	failure := errors.New("constraint failed")
	cases := []struct {
		name    string
		count   dbguard.Count
		effect  dbguard.Effect
		err     error
		outcome dbguard.Outcome
	}{
		{"done", rows(1), dbguard.EffectApplied, nil, dbguard.OutcomeDone},
		{"the statement failed", rows(0), dbguard.EffectNone, failure, dbguard.OutcomeFailed},
		{"the statement failed and was undone", rows(0), dbguard.EffectUndone, failure, dbguard.OutcomeFailed},
		{"it failed half-way and cannot be undone", rows(1), dbguard.EffectApplied, failure, dbguard.OutcomeFailed},
		{"over, and undone", rows(2), dbguard.EffectUndone, nil, dbguard.OutcomeUndone},
		{"over, and stopped by the server", rows(2), dbguard.EffectNone, nil, dbguard.OutcomeRefused},
		{"over, and not undone", rows(2), dbguard.EffectApplied, nil, dbguard.OutcomeDone},
		{"over, and the reply to the undo was lost", rows(2), dbguard.EffectUnknown, failure, dbguard.OutcomeUnknown},
		{"the reply was lost", rows(1), dbguard.EffectUnknown, failure, dbguard.OutcomeUnknown},
	}
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o, err := g.Begin(atMost(1), deleteFrom("users"), nil)
			require.NoError(t, err)
			verdict := o.Settle(c.count)
			err = o.End(c.effect, c.err)
			e := rec.only(t)
			require.Equal(t, c.outcome, e.Outcome)
			require.Equal(t, c.effect, e.Effect)
			require.Equal(t, err, e.Err)
			if verdict != nil {
				require.Same(t, verdict, err)
			}
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
			}
		})
	}
}

// A driver's own error passes as it is: database/sql compares some with ==.
func TestDriverErrorsPassUnwrapped(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	o, err := g.Begin(atMost(1), deleteFrom("users"), nil)
	require.NoError(t, err)
	require.True(t, o.End(dbguard.EffectNone, io.EOF) == io.EOF)
}

func TestViolationIsWhatItsFindingsAre(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	o, err := g.Begin(dbguard.Budget(atMost(1), 1), deleteFrom("users"), nil)
	require.NoError(t, err)
	require.Error(t, o.Settle(rows(2)))
	cause := errors.New("rollback failed")
	err = o.End(dbguard.EffectUnknown, cause)

	var v *dbguard.Violation
	require.ErrorAs(t, err, &v)
	require.Equal(t, dbguard.OverLimit, v.Rule)
	require.ErrorIs(t, err, dbguard.OverLimit)
	require.ErrorIs(t, err, dbguard.OverBudget)
	require.ErrorIs(t, err, dbguard.ErrRefused)
	require.ErrorIs(t, err, cause)
	require.NotErrorIs(t, err, dbguard.Unbounded)
	require.NotErrorIs(t, err, io.EOF)
	require.Equal(t, cause, errors.Unwrap(err))
	require.Equal(t, "DG204", v.ErrorType())
	require.EqualValues(t, 1, v.Limit)
	require.EqualValues(t, 2, v.Rows)

	// One made by hand, in a test of an application's, behaves the same.
	bare := &dbguard.Violation{Rule: dbguard.OverLimit, Op: deleteFrom("users")}
	require.ErrorIs(t, bare, dbguard.OverLimit)
	require.ErrorIs(t, bare, dbguard.ErrRefused)
	require.EqualError(t, bare, "DG204 OverLimit: DELETE on users; nothing was changed")
}

func TestEffectInMessages(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	for effect, want := range map[dbguard.Effect]string{
		dbguard.EffectNone:    "; nothing was changed. Raise",
		dbguard.EffectUndone:  "; nothing was changed. Raise",
		dbguard.EffectApplied: "; it was done all the same. Raise",
		dbguard.EffectUnknown: "; whether anything was changed is unknown. Raise",
	} {
		o, err := g.Begin(atMost(1), deleteFrom("users"), nil)
		require.NoError(t, err)
		require.Error(t, o.Settle(rows(2)))
		require.ErrorContains(t, o.End(effect, nil), want)
	}
}

func TestEventFields(t *testing.T) {
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	ctx := dbguard.Allow(atMost(5), "fixtures", dbguard.AllRows("users"))
	tables := []dbguard.TableRows{{Table: "users", Rows: 2}, {Table: "posts", Rows: 1, Via: "trigger"}}
	require.NoError(t, run(ctx, g, deleteAll("users"), dbguard.Count{Rows: 3, Tables: tables}))
	done := rec.only(t)
	require.True(t, strings.HasPrefix(done.Site, "door_test.go:"), done.Site)
	done.Site = ""
	require.Equal(t, dbguard.Event{
		Op: deleteAll("users"), Outcome: dbguard.OutcomeDone, Effect: dbguard.EffectApplied,
		Rows: 3, Tables: tables, Limit: 5, Reason: "fixtures",
	}, done)
	require.Equal(t, tables, done.RowsByTable())

	err := run(background, g, deleteFrom("users"), rows(0))
	refused := rec.only(t)
	refused.Site = ""
	require.Equal(t, dbguard.Event{
		Op: deleteFrom("users"), Outcome: dbguard.OutcomeRefused, Effect: dbguard.EffectNone,
		Rows: -1, Limit: -1, Rule: dbguard.Unbounded, Err: err,
		Findings: []dbguard.Finding{{
			Rule: dbguard.Unbounded, Level: dbguard.Deny, Message: "DELETE on users has no bound",
			Fix: "Say how many rows it may change: dbguard.AtMost(ctx, n)",
		}},
	}, refused)
}

func TestFindingsNameTheirObject(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	v := violation(t, run(atMost(1), g, dropTable("users"), rows(0)))
	require.Equal(t, "users", v.Findings[0].Object)
}

func TestRowsByTable(t *testing.T) {
	two := dbguard.Op{Acts: []dbguard.Act{{Object: "a"}, {Object: "b"}, {Object: "a"}}}
	cases := []struct {
		name string
		e    dbguard.Event
		want []dbguard.TableRows
	}{
		{"one table", dbguard.Event{Op: deleteFrom("a"), Rows: 2}, []dbguard.TableRows{{Table: "a", Rows: 2}}},
		{"two tables, and nobody knows", dbguard.Event{Op: two, Rows: 2}, nil},
		{"no rows", dbguard.Event{Op: deleteFrom("a")}, nil},
		{"unknown rows", dbguard.Event{Op: deleteFrom("a"), Rows: -1}, nil},
		{"the engine knows", dbguard.Event{Op: two, Rows: 2, Tables: []dbguard.TableRows{{Table: "b", Rows: 2}}}, []dbguard.TableRows{{Table: "b", Rows: 2}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, c.e.RowsByTable()) })
	}
}

func TestUncountable(t *testing.T) {
	rec := &recorder{}
	uncountable := func(p dbguard.Policy, ctx context.Context, op dbguard.Op) error {
		p.Observers = []dbguard.Observer{rec}
		o, err := newGuard(t, p).Begin(ctx, op, nil)
		require.NoError(t, err)
		acts := op.Acts[0]
		if err := o.Uncountable("table users is MyISAM"); err != nil {
			return o.End(dbguard.EffectNone, nil)
		}
		require.Equal(t, acts, op.Acts[0], "the door's own Op is left alone")
		require.EqualValues(t, -1, o.Limit())
		require.NoError(t, o.Settle(rows(1)))
		return o.End(dbguard.EffectApplied, nil)
	}
	err := uncountable(dbguard.Policy{}, atMost(1), deleteFrom("users"))
	require.EqualError(t, violation(t, err), `cleanup.go:42: DG207 Uncountable: DELETE on users cannot be counted or undone (table users is MyISAM); `+
		`nothing was changed. Use a transactional engine, or take the responsibility: dbguard.Allow(ctx, reason, dbguard.Opaque()).`)
	require.Equal(t, dbguard.OutcomeRefused, rec.only(t).Outcome)

	err = uncountable(dbguard.Policy{}, atMost(1), deleteAll("users"))
	require.Equal(t, []dbguard.RuleID{dbguard.Unfiltered, dbguard.Uncountable}, rulesOf(rec.only(t).Findings), "every row is addressed, and nobody knows how many")
	require.ErrorIs(t, err, dbguard.Uncountable)

	require.NoError(t, uncountable(dbguard.Policy{}, dbguard.Allow(atMost(1), "a log", dbguard.Opaque()), deleteFrom("users")))
	require.Equal(t, "a log", rec.only(t).Reason)

	require.NoError(t, uncountable(dbguard.Policy{Mode: dbguard.Observe}, atMost(1), deleteFrom("users")))
	require.Equal(t, dbguard.Uncountable, rec.only(t).Rule, "the row that the driver reports does not make it countable")

	off := dbguard.Policy{Levels: map[dbguard.RuleID]dbguard.Level{dbguard.Unbounded: dbguard.Off}}
	require.NoError(t, uncountable(off, background, deleteFrom("users")), "where nothing bounds the rows, nobody counts them")
	require.Empty(t, rec.only(t).Rule)
}

func TestAbandonLeavesNothing(t *testing.T) {
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	ctx := dbguard.Budget(background, 1)
	o, err := g.Begin(ctx, deleteFrom("users"), nil)
	require.NoError(t, err)
	o.Abandon()
	rec.none(t)
	require.NoError(t, run(ctx, g, deleteFrom("users"), rows(1)), "nothing was charged")
}

// The call site is in the error even if nobody traces.
func TestSiteWithoutListeners(t *testing.T) {
	g := silent(t)
	var v *dbguard.Violation
	require.ErrorAs(t, run(background, g, deleteFrom("users"), rows(1)), &v)
	require.True(t, strings.HasPrefix(v.Site, "door_test.go:"), v.Site)
	require.ErrorAs(t, run(atMost(1), g, deleteFrom("users"), rows(2)), &v)
	require.True(t, strings.HasPrefix(v.Site, "door_test.go:"), v.Site)
}

// A count that an adapter takes beforehand may refuse without being charged, and does
// not replace the later count.
func TestForesee(t *testing.T) {
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	ctx := dbguard.Budget(atMost(5), 3)
	o, err := g.Begin(ctx, deleteFrom("users"), nil)
	require.NoError(t, err)
	require.Error(t, o.Foresee(rows(4)))
	err = o.End(dbguard.EffectNone, nil)
	require.ErrorIs(t, err, dbguard.OverBudget)
	e := rec.only(t)
	require.Equal(t, dbguard.OutcomeRefused, e.Outcome)
	require.EqualValues(t, 4, e.Rows)

	o, err = g.Begin(ctx, deleteFrom("users"), nil)
	require.NoError(t, err)
	require.NoError(t, o.Foresee(rows(3)))
	require.NoError(t, o.End(dbguard.EffectApplied, nil))
	require.EqualValues(t, -1, rec.only(t).Rows, "what was foreseen was not counted")
	require.NoError(t, run(ctx, g, deleteFrom("users"), rows(3)), "nothing was charged")
}

func TestFindingsSoFar(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	o, err := g.Begin(atMost(1), op("OPEN", "shop", "", dbguard.Act{Verb: dbguard.Pool}), nil)
	require.NoError(t, err)
	require.Equal(t, []dbguard.RuleID{dbguard.UnboundedPool}, rulesOf(o.Findings()))
	o, err = g.Begin(atMost(1), deleteAll("users"), nil)
	require.NoError(t, err)
	require.Empty(t, o.Findings(), "whether a row is there is not known yet")
}

func TestTableRowsString(t *testing.T) {
	require.Equal(t, "1 row of users", dbguard.TableRows{Table: "users", Rows: 1}.String())
	require.Equal(t, "2 rows of posts (ON DELETE CASCADE)", dbguard.TableRows{Table: "posts", Rows: 2, Via: "ON DELETE CASCADE"}.String())
	require.Equal(t, "2 rows of other tables (trigger)", dbguard.TableRows{Rows: 2, Via: "trigger"}.String())
}
