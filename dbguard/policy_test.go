package dbguard_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

func TestPolicyMistakesAreNamed(t *testing.T) {
	type (
		levels = map[dbguard.RuleID]dbguard.Level
		limits = map[string]int64
	)
	cases := []struct {
		name   string
		policy dbguard.Policy
		want   string
	}{
		{"mode", dbguard.Policy{Mode: 2}, "dbguard: Policy.Mode 2 is neither Enforce nor Observe"},
		{"unknown rule", dbguard.Policy{Levels: levels{"DG999": dbguard.Off}}, `dbguard: Policy.Levels names "DG999", which is no rule`},
		{"name for an ID", dbguard.Policy{Levels: levels{"OverLimit": dbguard.Off}}, `dbguard: Policy.Levels names "OverLimit", which is no rule`},
		{"level zero", dbguard.Policy{Levels: levels{dbguard.Drop: 0}}, `dbguard: Policy.Levels["DG102"] is neither Deny, Warn nor Off`},
		{"level too high", dbguard.Policy{Levels: levels{dbguard.Drop: 4}}, `dbguard: Policy.Levels["DG102"] is neither Deny, Warn nor Off`},
		{
			"level of a fact",
			dbguard.Policy{Levels: levels{dbguard.Unconfirmed: dbguard.Off}},
			"dbguard: Policy.Levels names DG208 Unconfirmed, which is a fact and no verdict: it has no level",
		},
		{"negative limit", dbguard.Policy{Limits: limits{"users": -1}}, `dbguard: Policy.Limits["users"] is -1: a bound is 0 or more`},
		{"limit of nothing", dbguard.Policy{Limits: limits{" ": 1}}, `dbguard: Policy.Limits[" "] names no table: use "*" for all others`},
		{"limit twice", dbguard.Policy{Limits: limits{"users": 1, "Users": 2}}, `dbguard: Policy.Limits names one table twice: "Users" and "users"`},
		{"nil observer", dbguard.Policy{Observers: []dbguard.Observer{nil}}, "dbguard: Policy.Observers holds a nil Observer"},
	}
	var all dbguard.Policy
	var wants []string
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g, err := dbguard.New(c.policy)
			require.EqualError(t, err, c.want)
			require.Nil(t, g)
		})
	}
	all = dbguard.Policy{Mode: 2, Levels: levels{"DG999": 0}, Limits: limits{"a": -1, "b": -2}, Observers: []dbguard.Observer{nil}}
	wants = []string{
		"dbguard: Policy.Mode 2 is neither Enforce nor Observe",
		`dbguard: Policy.Levels names "DG999", which is no rule`,
		`dbguard: Policy.Levels["DG999"] is neither Deny, Warn nor Off`,
		`dbguard: Policy.Limits["a"] is -1: a bound is 0 or more`,
		`dbguard: Policy.Limits["b"] is -2: a bound is 0 or more`,
		"dbguard: Policy.Observers holds a nil Observer",
	}
	_, err := dbguard.New(all)
	require.EqualError(t, err, strings.Join(wants, "\n"))
}

func TestPolicyIsCopied(t *testing.T) {
	rec := &recorder{}
	p := dbguard.Policy{
		Levels:    map[dbguard.RuleID]dbguard.Level{dbguard.Drop: dbguard.Off},
		Limits:    map[string]int64{"Users": 1},
		Observers: []dbguard.Observer{rec},
	}
	g := newGuard(t, p)
	p.Levels[dbguard.Drop] = dbguard.Deny
	p.Limits["Users"], p.Limits["posts"] = 100, 100
	p.Observers[0] = nil
	require.NoError(t, run(background, g, dropTable("users"), rows(0)))
	require.ErrorIs(t, run(background, g, deleteFrom("users"), rows(2)), dbguard.OverLimit)
	require.ErrorIs(t, run(background, g, deleteFrom("posts"), rows(1)), dbguard.Unbounded)
	require.Len(t, rec.events, 3)
}

func TestNilAndEmptyGuards(t *testing.T) {
	var none *dbguard.Guard
	require.EqualError(t, none.Check(), "dbguard: the Guard is nil: make one with dbguard.New")
	_, err := none.Begin(background, deleteFrom("users"), nil)
	require.EqualError(t, err, "dbguard: the Guard is nil: make one with dbguard.New")
	require.False(t, none.Observing())
	require.NoError(t, none.NewLedger().End(background, dbguard.EffectUndone, nil))

	empty := &dbguard.Guard{}
	require.EqualError(t, empty.Check(), "dbguard: the Guard is empty: make one with dbguard.New")
	_, err = empty.Begin(background, deleteFrom("users"), nil)
	require.EqualError(t, err, "dbguard: the Guard is empty: make one with dbguard.New")
	require.NoError(t, newGuard(t, dbguard.Policy{}).Check())
}

func TestLimits(t *testing.T) {
	two := dbguard.Op{Name: "DELETE", Statements: 1, Acts: []dbguard.Act{
		{Verb: dbguard.Delete, Object: "users"}, {Verb: dbguard.Delete, Object: "posts"},
	}}
	fromPosts := dbguard.Op{Name: "INSERT", Statements: 1, Acts: []dbguard.Act{
		{Verb: dbguard.Insert, Object: "none"}, {Verb: dbguard.Upsert, Object: "posts"},
	}}
	named := map[string]int64{"Users": 2, "posts": 5, "none": 0}
	others := map[string]int64{"users": 2, "*": 3}
	cases := []struct {
		name   string
		limits map[string]int64
		op     dbguard.Op
		want   int64 // -1: refused as unbounded
	}{
		{"by name, without regard to case", named, deleteFrom("USERS"), 2},
		{"another table has none", named, deleteFrom("comments"), -1},
		{"a qualified name is another table", named, deleteFrom("audit.users"), -1},
		{"a limit of 0 is one", named, deleteFrom("none"), 0},
		{"two tables: the smaller", named, two, 2},
		{"an inserted table's limit does not count", named, fromPosts, 5},
		{"all others", others, deleteFrom("comments"), 3},
		{"the named one before all others", others, deleteFrom("users"), 2},
		{"code has no table", others, op("CALL", "", "CALL purge()", dbguard.Act{Verb: dbguard.Call}), 3},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := newGuard(t, dbguard.Policy{Limits: c.limits})
			o, err := g.Begin(background, c.op, nil)
			if c.want < 0 {
				require.ErrorIs(t, err, dbguard.Unbounded)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, o.Limit())
		})
	}
}

func TestLimitsInMessages(t *testing.T) {
	g := newGuard(t, dbguard.Policy{Limits: map[string]int64{"Users": 1, "*": 2}})
	err := run(background, g, deleteFrom("users"), rows(2))
	require.Equal(t, `Raise the bound: dbguard.AtMost(ctx, n), or Policy.Limits["users"]`, violation(t, err).Fix)
	err = run(background, g, deleteFrom("posts"), rows(3))
	require.Equal(t, `Raise the bound: dbguard.AtMost(ctx, n), or Policy.Limits["*"]`, violation(t, err).Fix)
	err = run(dbguard.Exactly(background, 1), g, deleteFrom("users"), rows(2))
	require.Equal(t, `Raise the bound: dbguard.AtMost(ctx, n)`, violation(t, err).Fix)
}

func TestLevels(t *testing.T) {
	pool := op("OPEN", "shop", "", dbguard.Act{Verb: dbguard.Pool})
	withLevel := func(id dbguard.RuleID, l dbguard.Level) dbguard.Policy {
		return dbguard.Policy{Levels: map[dbguard.RuleID]dbguard.Level{id: l}}
	}
	cases := []struct {
		name     string
		policy   dbguard.Policy
		ctx      context.Context
		op       dbguard.Op
		count    dbguard.Count
		refused  dbguard.RuleID   // "" for passed
		reported []dbguard.RuleID // in the event
	}{
		{"DG404 warns by default", dbguard.Policy{}, background, pool, rows(0), "", []dbguard.RuleID{dbguard.UnboundedPool}},
		{"and can refuse", withLevel(dbguard.UnboundedPool, dbguard.Deny), background, pool, rows(0), dbguard.UnboundedPool, []dbguard.RuleID{dbguard.UnboundedPool}},
		{"warn at the beginning", withLevel(dbguard.Unbounded, dbguard.Warn), background, deleteFrom("t"), rows(9), "", []dbguard.RuleID{dbguard.Unbounded}},
		{"off at the beginning", withLevel(dbguard.Unbounded, dbguard.Off), background, deleteFrom("t"), rows(9), "", nil},
		{"warn of a count", withLevel(dbguard.OverLimit, dbguard.Warn), atMost(1), deleteFrom("t"), rows(9), "", []dbguard.RuleID{dbguard.OverLimit}},
		{"off for a count", withLevel(dbguard.OverLimit, dbguard.Off), atMost(1), deleteFrom("t"), rows(9), "", nil},
		{"warn where rows are found", withLevel(dbguard.Unfiltered, dbguard.Warn), atMost(9), deleteAll("t"), rows(9), "", []dbguard.RuleID{dbguard.Unfiltered}},
		{"no warning where none are", withLevel(dbguard.Unfiltered, dbguard.Warn), atMost(9), deleteAll("t"), rows(0), "", nil},
		{"a warning beside a refusal", withLevel(dbguard.Unfiltered, dbguard.Warn), atMost(1), deleteAll("t"), rows(9), dbguard.OverLimit, []dbguard.RuleID{dbguard.Unfiltered, dbguard.OverLimit}},
		{"no bound, no count", withLevel(dbguard.Unbounded, dbguard.Off), background, deleteFrom("t"), rows(-1), "", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rec := &recorder{}
			c.policy.Observers = []dbguard.Observer{rec}
			err := run(c.ctx, newGuard(t, c.policy), c.op, c.count)
			e := rec.only(t)
			require.Equal(t, c.reported, rulesOf(e.Findings))
			if c.refused == "" {
				require.NoError(t, err)
				require.Equal(t, dbguard.OutcomeDone, e.Outcome)
				return
			}
			require.Equal(t, c.refused, violation(t, err).Rule)
			require.Equal(t, c.refused, e.Rule)
			require.Equal(t, []dbguard.RuleID{c.refused}, rulesOf(violation(t, err).Findings), "what only warns did not refuse")
		})
	}
}

// Rows over a budget that is only warned of are gone all the same.
func TestWarnedBudgetIsSpent(t *testing.T) {
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{
		Levels:    map[dbguard.RuleID]dbguard.Level{dbguard.OverBudget: dbguard.Warn},
		Observers: []dbguard.Observer{rec},
	})
	ctx := dbguard.Budget(background, 2)
	for _, want := range []dbguard.RuleID{dbguard.OverBudget, dbguard.OverBudget} {
		require.NoError(t, run(ctx, g, deleteFrom("users"), rows(3)))
		require.Equal(t, want, rec.only(t).Rule)
	}
	require.NoError(t, run(ctx, g, deleteFrom("users"), rows(1)))
	require.Equal(t, dbguard.OverBudget, rec.only(t).Rule)
}

// A level that lets the count pass lets the engine run without a stop.
func TestLevelsAndEarlyStop(t *testing.T) {
	levels := func(l dbguard.Level, ids ...dbguard.RuleID) map[dbguard.RuleID]dbguard.Level {
		m := map[dbguard.RuleID]dbguard.Level{}
		for _, id := range ids {
			m[id] = l
		}
		return m
	}
	cases := []struct {
		name   string
		policy dbguard.Policy
		ctx    context.Context
		op     dbguard.Op
		limit  int64
		undo   bool
	}{
		{"a bound", dbguard.Policy{}, atMost(1), deleteFrom("t"), 1, true},
		{"a bound that warns", dbguard.Policy{Levels: levels(dbguard.Warn, dbguard.OverLimit)}, atMost(1), deleteFrom("t"), -1, false},
		{"exactly, whose upper end warns", dbguard.Policy{Levels: levels(dbguard.Warn, dbguard.OverLimit)}, dbguard.Exactly(background, 1), deleteFrom("t"), -1, true},
		{"exactly, all of which warns", dbguard.Policy{Levels: levels(dbguard.Warn, dbguard.OverLimit, dbguard.UnderLimit)}, dbguard.Exactly(background, 1), deleteFrom("t"), -1, false},
		{"a budget that is off", dbguard.Policy{Levels: levels(dbguard.Off, dbguard.OverBudget)}, dbguard.Budget(background, 1), deleteFrom("t"), -1, false},
		{"no WHERE, warned of", dbguard.Policy{Levels: levels(dbguard.Warn, dbguard.Unfiltered)}, atMost(3), deleteAll("t"), 3, true},
		{"a granted drop", dbguard.Policy{}, dbguard.Allow(background, "test", dbguard.DropTable("t")), dropTable("t"), -1, false},
		{"observing", dbguard.Policy{Mode: dbguard.Observe}, dbguard.Exactly(background, 1), deleteAll("t"), -1, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o, err := newGuard(t, c.policy).Begin(c.ctx, c.op, nil)
			require.NoError(t, err)
			require.Equal(t, c.limit, o.Limit())
			require.Equal(t, c.undo, o.NeedsUndo())
		})
	}
}

// What is refused is reported in Observe mode, and nothing is refused.
func TestObserve(t *testing.T) {
	for _, c := range refusals() {
		t.Run(c.name, func(t *testing.T) {
			rec := &recorder{}
			g := newGuard(t, dbguard.Policy{Mode: dbguard.Observe, Observers: []dbguard.Observer{rec}})
			require.True(t, g.Observing())
			count := c.count
			if slices.Contains(c.rules, dbguard.Unfiltered) && count.Rows == 0 {
				count.Rows = 1 // refused beforehand where a guard enforces; here the row decides
			}
			require.NoError(t, run(c.ctx, g, c.op, count))
			e := rec.only(t)
			require.Equal(t, c.rules, rulesOf(e.Findings))
			require.Equal(t, c.rules[0], e.Rule)
			require.Equal(t, dbguard.OutcomeDone, e.Outcome)
			require.Equal(t, dbguard.EffectApplied, e.Effect)
			require.NoError(t, e.Err)
			require.True(t, strings.HasPrefix(e.Site, "door_test.go:"), e.Site)
		})
	}
}

// What would have been refused is not taken from a budget that is only observed.
func TestObservedBudget(t *testing.T) {
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Mode: dbguard.Observe, Observers: []dbguard.Observer{rec}})
	ctx := dbguard.Budget(background, 2)
	for _, c := range []struct {
		rows int64
		rule dbguard.RuleID
	}{{3, dbguard.OverBudget}, {2, ""}, {1, dbguard.OverBudget}} {
		require.NoError(t, run(ctx, g, deleteFrom("users"), rows(c.rows)))
		require.Equal(t, c.rule, rec.only(t).Rule)
	}
}

func TestStrings(t *testing.T) {
	require.Equal(t, []string{"deny", "warn", "off", "Level(9)"}, []string{
		dbguard.Deny.String(), dbguard.Warn.String(), dbguard.Off.String(), dbguard.Level(9).String(),
	})
	require.Equal(t, []string{"none", "undone", "applied", "unknown", "unknown"}, []string{
		dbguard.EffectNone.String(), dbguard.EffectUndone.String(), dbguard.EffectApplied.String(),
		dbguard.EffectUnknown.String(), dbguard.Effect(9).String(),
	})
	require.Equal(t, "DG204 OverLimit", dbguard.OverLimit.Error())
	require.Equal(t, "DG999", dbguard.RuleID("DG999").Error())
}
