package dbguard_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

func TestNearestBoundHolds(t *testing.T) {
	g := newGuard(t, dbguard.Policy{Limits: map[string]int64{"users": 7}})
	cases := []struct {
		name string
		ctx  context.Context
		want int64
	}{
		{"none: the standing limit", background, 7},
		{"a context before the standing limit", atMost(9), 9},
		{"an inner bound may be wider", dbguard.AtMost(atMost(1), 5), 5},
		{"an inner bound may be narrower", dbguard.AtMost(atMost(5), 0), 0},
		{"Exactly replaces AtMost", dbguard.Exactly(atMost(5), 2), 2},
		{"AtMost replaces Exactly", dbguard.AtMost(dbguard.Exactly(background, 2), 5), 5},
		{"a wider budget does not widen it", dbguard.Budget(atMost(1), 5), 1},
		{"a narrower budget narrows it", dbguard.AtMost(dbguard.Budget(background, 3), 5), 3},
		{"the narrowest budget counts", dbguard.AtMost(dbguard.Budget(dbguard.Budget(background, 2), 4), 5), 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o, err := g.Begin(c.ctx, deleteFrom("users"), nil)
			require.NoError(t, err)
			require.Equal(t, c.want, o.Limit())
			require.True(t, o.NeedsUndo())
			o.Abandon()
		})
	}
}

// Without WHERE or grant a single row is too much, whatever the bound.
func TestPendingRuleStopsAtTheFirstRow(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	o, err := g.Begin(atMost(10), deleteAll("users"), nil)
	require.NoError(t, err)
	require.Zero(t, o.Limit())

	granted := dbguard.Allow(atMost(10), "fixtures", dbguard.AllRows("users"))
	o, err = g.Begin(granted, deleteAll("users"), nil)
	require.NoError(t, err)
	require.EqualValues(t, 10, o.Limit())
}

func TestContextsDoNotTouchTheirParents(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	parent := dbguard.Allow(dbguard.Budget(atMost(1), 10), "parent", dbguard.DropTable("a"))
	for _, name := range []string{"b", "c"} {
		child := dbguard.Allow(dbguard.Budget(dbguard.AtMost(parent, 5), 0), "child", dbguard.DropTable(name))
		require.NoError(t, run(child, g, dropTable(name), rows(0)))
		require.ErrorIs(t, run(parent, g, dropTable(name), rows(0)), dbguard.Drop)
	}
	require.NoError(t, run(parent, g, deleteFrom("users"), rows(1)))
}

func TestWrongCallsAreToldAtTheFirstStatement(t *testing.T) {
	cases := []struct {
		name string
		ctx  context.Context
		want string
	}{
		{"negative AtMost", dbguard.AtMost(background, -1), "dbguard: AtMost(ctx, -1): a bound is 0 or more"},
		{"negative Exactly", dbguard.Exactly(background, -2), "dbguard: Exactly(ctx, -2): a bound is 0 or more"},
		{"negative Budget", dbguard.Budget(background, -3), "dbguard: Budget(ctx, -3): a budget is 0 or more"},
		{"a right call does not make up for it", atMostIn(dbguard.AtMost(background, -1), 1), "dbguard: AtMost(ctx, -1): a bound is 0 or more"},
		{"no reason", dbguard.Allow(atMost(1), "", dbguard.DropTable("a")), "dbguard: Allow without a reason: say why, it ends up in the trace"},
		{"a blank reason", dbguard.Allow(atMost(1), " \t"), "dbguard: Allow without a reason: say why, it ends up in the trace"},
		{"a grant without a name", dbguard.Allow(atMost(1), "test", dbguard.DropTable(" ")), `dbguard: Allow with DropTable(" "): a grant names its object`},
		{"the zero Grant", dbguard.Allow(atMost(1), "test", dbguard.Grant{}), "dbguard: Allow with an empty Grant: use DropTable(name) and kin"},
		{
			"every mistake", dbguard.Allow(dbguard.AtMost(background, -1), "test", dbguard.AllRows("")),
			"dbguard: AtMost(ctx, -1): a bound is 0 or more\ndbguard: Allow with AllRows(\"\"): a grant names its object",
		},
	}
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := run(c.ctx, g, deleteFrom("users"), rows(1))
			require.EqualError(t, err, c.want)
			require.NotErrorIs(t, err, dbguard.ErrRefused, "a mistake in the program is not a verdict")
			e := rec.only(t)
			require.Equal(t, dbguard.OutcomeRefused, e.Outcome)
			require.Equal(t, dbguard.EffectNone, e.Effect)
			require.Equal(t, err, e.Err)
		})
	}
}

func atMostIn(ctx context.Context, n int64) context.Context { return dbguard.AtMost(ctx, n) }

// A guard that only observes must not break what runs without it; what the
// invalid call would have permitted shows up as its rule.
func TestWrongCallsWhereTheGuardObserves(t *testing.T) {
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Mode: dbguard.Observe, Observers: []dbguard.Observer{rec}})
	require.NoError(t, run(dbguard.AtMost(background, -1), g, deleteFrom("users"), rows(1)))
	require.Equal(t, dbguard.Unbounded, rec.only(t).Rule)
	require.NoError(t, run(dbguard.Allow(background, "", dbguard.DropTable("a")), g, dropTable("a"), rows(0)))
	require.Equal(t, dbguard.Drop, rec.only(t).Rule)
}

func TestGrants(t *testing.T) {
	act := func(name, object string, verb dbguard.Verb) dbguard.Op {
		return op(name, object, name+" "+object, dbguard.Act{Verb: verb})
	}
	ops := map[string]dbguard.Op{
		`CreateDatabase("t")`: act("CREATE DATABASE", "t", dbguard.Create),
		`DropDatabase("t")`:   act("DROP DATABASE", "t", dbguard.RemoveDatabase),
		`DropTable("t")`:      dropTable("t"),
		`Truncate("t")`:       act("TRUNCATE", "t", dbguard.Empty),
		`AlterTable("t")`:     act("ALTER TABLE", "t", dbguard.Reshape),
		`AllRows("t")`:        deleteAll("t"),
		`Opaque()`:            act("COPY", "t", dbguard.Run),
	}
	grants := []dbguard.Grant{
		dbguard.CreateDatabase("t"), dbguard.DropDatabase("t"), dbguard.DropTable("t"), dbguard.Truncate("t"),
		dbguard.AlterTable("t"), dbguard.AllRows("t"), dbguard.Opaque(),
	}
	require.Len(t, ops, len(grants))
	g := newGuard(t, dbguard.Policy{})
	for _, grant := range grants {
		for needed, op := range ops {
			err := run(dbguard.Allow(atMost(1), "test", grant), g, op, rows(1))
			if grant.String() == needed {
				require.NoError(t, err, "%s permits what it names", grant)
			} else {
				require.ErrorIs(t, err, dbguard.ErrRefused, "%s does not permit what needs %s", grant, needed)
				require.Contains(t, violation(t, err).Fix, "dbguard."+needed)
			}
		}
	}
}

func TestGrantNames(t *testing.T) {
	cases := []struct {
		granted, dropped string
		covers           bool
	}{
		{"users", "users", true},
		{"users", "Users", true},
		{"USERS", "users", true},
		{"Größe", "GRÖSSE", false}, // folding is by letter: ß has none
		{"größe", "GRÖßE", true},
		{"users", "audit.users", false},
		{"audit.users", "users", false},
		{"audit.users", "Audit.Users", true},
		{"users", "users ", false},
		{"user", "users", false},
		{"*", "users", false},
	}
	g := newGuard(t, dbguard.Policy{})
	for _, c := range cases {
		err := run(dbguard.Allow(background, "test", dbguard.DropTable(c.granted)), g, dropTable(c.dropped), rows(0))
		if got := err == nil; got != c.covers {
			t.Errorf("DropTable(%q) covers %q: %v", c.granted, c.dropped, got)
		}
	}
}

// The reasons in the trace are those of the grants that were needed.
func TestReasons(t *testing.T) {
	stacked := deleteFrom("users")
	stacked.Statements = 2
	both := dbguard.Op{Name: "DROP TABLE", Statements: 1, Acts: []dbguard.Act{
		{Verb: dbguard.Remove, Object: "a"}, {Verb: dbguard.Remove, Object: "b"},
	}}
	nested := dbguard.Allow(dbguard.Allow(background, "outer", dbguard.DropTable("a"), dbguard.DropTable("b")), "inner", dbguard.DropTable("b"))
	cases := []struct {
		name  string
		ctx   context.Context
		op    dbguard.Op
		count dbguard.Count
		want  string
	}{
		{"not needed", dbguard.Allow(atMost(1), "unused", dbguard.AllRows("users")), deleteFrom("users"), rows(1), ""},
		{"needed", dbguard.Allow(background, "why", dbguard.DropTable("a")), dropTable("a"), rows(0), "why"},
		{"one reason for two objects", dbguard.Allow(background, "why", dbguard.DropTable("a"), dbguard.DropTable("b")), both, rows(0), "why"},
		{"two reasons, the innermost for each", nested, both, rows(0), "outer; inner"},
		{"a text of several statements", dbguard.Allow(atMost(1), "batch", dbguard.Opaque()), stacked, rows(1), "batch"},
		{"a lost count", dbguard.Allow(atMost(1), "MyISAM", dbguard.Opaque()), deleteFrom("users"), rows(-1), "MyISAM"},
	}
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, run(c.ctx, g, c.op, c.count))
			require.Equal(t, c.want, rec.only(t).Reason)
		})
	}
}

func TestBudgetsNest(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	outer := dbguard.Budget(background, 10)
	inner := dbguard.Budget(outer, 4)
	require.NoError(t, run(inner, g, deleteFrom("users"), rows(3)))
	require.ErrorIs(t, run(inner, g, deleteFrom("users"), rows(2)), dbguard.OverBudget, "1 is left of the inner one")
	require.NoError(t, run(outer, g, deleteFrom("users"), rows(7)), "the refused 2 were charged to neither")
	require.ErrorIs(t, run(inner, g, deleteFrom("users"), rows(1)), dbguard.OverBudget, "nothing is left of the outer one")
	require.NoError(t, run(inner, g, deleteFrom("users"), rows(0)))
}

func TestBudgetIsGivenBackUnlessTheRowsStand(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	cases := []struct {
		effect dbguard.Effect
		left   int64
	}{
		{dbguard.EffectNone, 5},
		{dbguard.EffectUndone, 5},
		{dbguard.EffectApplied, 2},
		{dbguard.EffectUnknown, 2},
	}
	for _, c := range cases {
		t.Run(c.effect.String(), func(t *testing.T) {
			ctx := dbguard.Budget(background, 5)
			o, err := g.Begin(ctx, deleteFrom("users"), nil)
			require.NoError(t, err)
			require.NoError(t, o.Settle(rows(3)))
			_ = o.End(c.effect, nil)
			require.ErrorIs(t, run(ctx, g, deleteFrom("users"), rows(c.left+1)), dbguard.OverBudget)
			require.NoError(t, run(ctx, g, deleteFrom("users"), rows(c.left)))
		})
	}
}

// A hundred goroutines share a budget: what passes never exceeds it, and while
// one row is asked at a time nothing is left of it.
func TestBudgetIsSharedByGoroutines(t *testing.T) {
	const total, workers = 1000, 100
	g := newGuard(t, dbguard.Policy{})
	outer := dbguard.Budget(background, total)
	var passed, undone atomic.Int64
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			ctx := dbguard.Budget(outer, total/2) // the same for no two
			for j := range 30 {
				o, err := g.Begin(ctx, deleteFrom("users"), nil)
				if err != nil {
					t.Error(err)
					return
				}
				if o.Settle(rows(1)) != nil {
					_ = o.End(dbguard.EffectUndone, nil)
					continue
				}
				if (i+j)%7 == 0 { // the database said no: given back
					undone.Add(1)
					_ = o.End(dbguard.EffectUndone, nil)
					continue
				}
				passed.Add(1)
				_ = o.End(dbguard.EffectApplied, nil)
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, passed.Load(), int64(total))
	left := total - passed.Load()
	require.NoError(t, run(outer, g, deleteFrom("users"), rows(left)), "what was given back is there")
	require.ErrorIs(t, run(outer, g, deleteFrom("users"), rows(1)), dbguard.OverBudget)
	require.Positive(t, undone.Load())
}

func TestGrantString(t *testing.T) {
	require.Equal(t, `DropTable("users")`, dbguard.DropTable("users").String())
	require.Equal(t, `Opaque()`, dbguard.Opaque().String())
	require.True(t, strings.HasPrefix(dbguard.Grant{}.String(), "Grant("))
}
