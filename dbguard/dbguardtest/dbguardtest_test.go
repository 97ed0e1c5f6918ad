package dbguardtest_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
)

// Whatever testify's assertions take, ours do.
var (
	_ dbguardtest.TestingT = (*testing.T)(nil)
	_ dbguardtest.TestingT = (*assert.CollectT)(nil)
	_ dbguardtest.TestingT = assert.TestingT(nil)
	_ assert.TestingT      = dbguardtest.TestingT(nil)
)

var background = context.Background()

// failures is a TestingT that keeps what it is told.
type failures struct{ texts []string }

func (f *failures) Errorf(format string, args ...any) {
	f.texts = append(f.texts, withoutLines(fmt.Sprintf(format, args...)))
}

// withoutLines is a text in which the lines of this package's files may move.
func withoutLines(s string) string { return site.ReplaceAllString(s, "${1}_test.go:N") }

var site = regexp.MustCompile(`(\w+)_test\.go:\d+`)

// expect runs an assertion that must hold if want is "", and fail with it otherwise.
func expect(t *testing.T, want string, assertion func(dbguardtest.TestingT) bool) {
	t.Helper()
	f := &failures{}
	held := assertion(f)
	if want == "" {
		require.Empty(t, f.texts)
		require.True(t, held)
		return
	}
	require.Equal(t, []string{want}, f.texts)
	require.False(t, held)
}

func newGuard(t *testing.T, p dbguard.Policy) (*dbguard.Guard, *dbguardtest.Recorder) {
	t.Helper()
	rec := dbguardtest.NewRecorder()
	p.Observers = append(p.Observers, rec)
	g, err := dbguard.New(p)
	require.NoError(t, err)
	return g, rec
}

func TestAssertRefused(t *testing.T) {
	g, _ := newGuard(t, dbguard.Policy{})
	over := erase(dbguard.Budget(dbguard.AtMost(background, 1), 1), g, "users", 2, nil)
	o, err := g.Begin(dbguard.AtMost(background, 1), deletion("users"), nil)
	require.NoError(t, err)
	lost := o.End(dbguard.EffectUnknown, errors.New("broken pipe"))
	cases := []struct {
		name string
		err  error
		want string
	}{
		{"refused", over, ""},
		{"wrapped", fmt.Errorf("erase: %w", over), ""},
		{"no error", nil, "AssertRefused: there is no error, want DG206 OverBudget"},
		{"another error", errors.New("no such table"), "AssertRefused: an error that is no refusal, want DG206 OverBudget\nerror: no such table"},
		{
			"another rule", erase(background, g, "users", 2, nil),
			"AssertRefused: refused by DG201 Unbounded, want DG206 OverBudget\n" +
				"refused:   DG201 Unbounded: DELETE on users has no bound\n" +
				"fix:       Say how many rows it may change: dbguard.AtMost(ctx, n)\n" +
				"site:      door_test.go:N\n" +
				"statement: DELETE FROM users WHERE id = ?\n" +
				"                       ^\n" +
				"effect:    none: nothing was changed\n" +
				"why:       A reviewed maintenance script deleted every record of a table: nobody had said how many it was meant to touch.",
		},
		{
			"a lost reply", lost,
			"AssertRefused: a reply was lost, which is no refusal, want DG206 OverBudget\n" +
				"unknown:   DG208 Unconfirmed: the reply to DELETE on users was lost\n" +
				"fix:       Look at the rows before running it again\n" +
				"site:      dbguardtest_test.go:N\n" +
				"statement: DELETE FROM users WHERE id = ?\n" +
				"                       ^\n" +
				"bound:     1 row\n" +
				"effect:    unknown: whether anything was changed is unknown\n" +
				"cause:     broken pipe\n" +
				"why:       A connection that dies during COMMIT looks like a failure; the statement run again changes the rows twice.",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			expect(t, c.want, func(f dbguardtest.TestingT) bool { return dbguardtest.AssertRefused(f, c.err, dbguard.OverBudget) })
		})
	}
	expect(t, "", func(f dbguardtest.TestingT) bool { return dbguardtest.AssertRefused(f, over, dbguard.OverLimit) })
	expect(t, "AssertRefused: a reply was lost, which is no refusal, want DG208 Unconfirmed", func(f dbguardtest.TestingT) bool {
		cut := &failures{}
		defer func() { f.Errorf("%s", firstLine.FindString(cut.texts[0])) }()
		return dbguardtest.AssertRefused(cut, lost, dbguard.Unconfirmed)
	})
}

var firstLine = regexp.MustCompile(`^.*`)

func TestMessages(t *testing.T) {
	cases := []struct {
		name string
		args []any
		want string
	}{
		{"none", nil, ""},
		{"text", []any{"at 100 %"}, "\nmessage: at 100 %"},
		{"format", []any{"user %d", 7}, "\nmessage: user 7"},
		{"no text", []any{struct{ ID int }{7}}, "\nmessage: {ID:7}"},
		{"several without a format", []any{1, 2}, "\nmessage: 1 2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			expect(t, "AssertRefused: there is no error, want DG204 OverLimit"+c.want, func(f dbguardtest.TestingT) bool {
				return dbguardtest.AssertRefused(f, nil, dbguard.OverLimit, c.args...)
			})
		})
	}
}

func TestAssertionsWithoutARecorder(t *testing.T) {
	expect(t, "AssertChanged: the Recorder is nil: make one with NewRecorder\nmessage: m", func(f dbguardtest.TestingT) bool {
		return dbguardtest.AssertChanged(f, nil, "users", 0, "m")
	})
	expect(t, "AssertNothingDestroyed: the Recorder is nil: make one with NewRecorder", func(f dbguardtest.TestingT) bool {
		return dbguardtest.AssertNothingDestroyed(f, nil)
	})
	expect(t, "AssertChanged: 0 rows of users changed, want 1\nrecorded:\n  nothing: is the Recorder among Policy.Observers?", func(f dbguardtest.TestingT) bool {
		return dbguardtest.AssertChanged(f, dbguardtest.NewRecorder(), "users", 1)
	})
}

// scenario is what an application did and what then stands.
type scenario struct {
	name      string
	do        func(context.Context, *dbguard.Guard)
	users     int64
	changed   string // the failure of AssertChanged(users), "" where it holds
	destroyed string // the first line of AssertNothingDestroyed's failure
}

const something, nobody = "AssertNothingDestroyed: something was", "AssertNothingDestroyed: a reply was lost, so that nobody knows"

// permissive allows what the scenarios need.
var permissive = dbguard.Allow(dbguard.AtMost(background, 100), "test",
	dbguard.DropTable("users"), dbguard.Truncate("users"), dbguard.AlterTable("users"), dbguard.CreateDatabase("users"), dbguard.Opaque())

func structural(name string, verb dbguard.Verb) dbguard.Op {
	op := deletion("users")
	op.Name, op.Acts = name, []dbguard.Act{{Verb: verb, Object: "users"}}
	return op
}

// inTx runs f in a transaction that ends with effect.
func inTx(effect dbguard.Effect, f func(*dbguard.Guard, *dbguard.Ledger)) func(context.Context, *dbguard.Guard) {
	return func(ctx context.Context, g *dbguard.Guard) {
		l := g.NewLedger()
		f(g, l)
		_ = l.End(ctx, effect, nil)
	}
}

func scenarios() []scenario {
	two := deletion("users")
	two.Acts = []dbguard.Act{{Verb: dbguard.Delete, Object: "users"}, {Verb: dbguard.Delete, Object: "posts"}}
	cascade := dbguard.Count{Rows: 3, Tables: []dbguard.TableRows{{Table: "posts", Rows: 1}, {Table: "Users", Rows: 2, Via: "ON DELETE CASCADE"}}}
	do := func(op dbguard.Op, count dbguard.Count) func(context.Context, *dbguard.Guard) {
		return func(ctx context.Context, g *dbguard.Guard) { _ = perform(ctx, g, op, count, nil) }
	}
	rows := func(n int64) dbguard.Count { return dbguard.Count{Rows: n} }
	return []scenario{
		{name: "nothing", do: func(context.Context, *dbguard.Guard) {}},
		{name: "deleted", do: do(deletion("users"), rows(2)), users: 2, destroyed: something},
		{name: "deleted, in another case", do: do(deletion("USERS"), rows(2)), users: 2, destroyed: something},
		{name: "deleted elsewhere", do: do(deletion("posts"), rows(2)), destroyed: something},
		{name: "found nothing", do: do(deletion("users"), rows(0))},
		{name: "reached by cascade", do: do(deletion("posts"), cascade), users: 2, destroyed: something},
		{name: "undone", do: do(deletion("users"), rows(101))},
		{name: "refused", do: do(structural("DROP DATABASE", dbguard.RemoveDatabase), rows(0))},
		{name: "dropped", do: do(structural("DROP TABLE", dbguard.Remove), rows(0)), destroyed: something},
		{name: "emptied", do: do(structural("TRUNCATE", dbguard.Empty), rows(-1)), destroyed: something},
		{name: "altered", do: do(structural("ALTER TABLE", dbguard.Reshape), rows(-1)), destroyed: something},
		{name: "created", do: do(structural("CREATE DATABASE", dbguard.Create), rows(-1))},
		{
			name: "uncounted", do: do(structural("DELETE", dbguard.Uncounted), rows(-1)), destroyed: something,
			changed: "AssertChanged: nobody counted how many rows of users changed, want 0\nrecorded:\n" +
				"  OUTCOME  OPERATION        ROWS  RULE  SITE\n" +
				"  done     DELETE on users  ?           door_test.go:N",
		},
		{
			name: "two tables that the engine did not tell apart", do: do(two, rows(3)), destroyed: something,
			changed: "AssertChanged: nobody counted how many rows of users changed, want 0\nrecorded:\n" +
				"  OUTCOME  OPERATION               ROWS  RULE  SITE\n" +
				"  done     DELETE on users, posts  3           door_test.go:N",
		},
		{
			name:  "its own rows beside those of tables that the engine cannot name",
			do:    do(deletion("users"), dbguard.Count{Rows: 3, Tables: []dbguard.TableRows{{Table: "users", Rows: 2}, {Rows: 1, Via: "trigger"}}}),
			users: 2, destroyed: something,
		},
		{
			name: "among tables that the engine cannot name", destroyed: something,
			do: do(deletion("posts"), dbguard.Count{Rows: 3, Tables: []dbguard.TableRows{{Table: "posts", Rows: 2}, {Rows: 1, Via: "trigger"}}}),
			changed: "AssertChanged: nobody counted how many rows of users changed, want 0\nrecorded:\n" +
				"  OUTCOME  OPERATION        ROWS                              RULE  SITE\n" +
				"  done     DELETE on posts  3: 2 of posts, 1 of other tables        door_test.go:N",
		},
		{
			name: "rolled back", do: inTx(dbguard.EffectUndone, func(g *dbguard.Guard, l *dbguard.Ledger) {
				_ = perform(permissive, g, deletion("users"), rows(5), l)
				_ = perform(permissive, g, deletion("posts"), cascade, l)
				_ = perform(permissive, g, structural("DROP TABLE", dbguard.Remove), rows(-1), l)
				_ = perform(permissive, g, structural("DELETE", dbguard.Uncounted), rows(-1), l)
				_ = perform(permissive, g, two, rows(4), l)
			}),
		},
		{
			name: "committed", do: inTx(dbguard.EffectApplied, func(g *dbguard.Guard, l *dbguard.Ledger) {
				_ = perform(permissive, g, deletion("users"), rows(5), l)
			}), users: 5, destroyed: something,
		},
		{
			name: "rolled back and done again", do: func(ctx context.Context, g *dbguard.Guard) {
				inTx(dbguard.EffectUndone, func(g *dbguard.Guard, l *dbguard.Ledger) { _ = perform(ctx, g, deletion("users"), rows(5), l) })(ctx, g)
				_ = perform(ctx, g, deletion("users"), rows(5), nil)
			}, users: 5, destroyed: something,
		},
		{
			name: "committed, perhaps", do: inTx(dbguard.EffectUnknown, func(g *dbguard.Guard, l *dbguard.Ledger) {
				_ = perform(permissive, g, deletion("posts"), cascade, l)
			}), destroyed: nobody,
			changed: "AssertChanged: a reply was lost, so that nobody knows how many rows of users changed, want 0\nrecorded:\n" +
				"  OUTCOME  OPERATION        ROWS                       RULE               SITE\n" +
				"  done     DELETE on posts  3: 1 of posts, 2 of Users                     door_test.go:N\n" +
				"  unknown  COMMIT           3: 1 of posts, 2 of Users  DG208 Unconfirmed  dbguardtest_test.go:N",
		},
	}
}

func TestScenarios(t *testing.T) {
	for _, c := range scenarios() {
		t.Run(c.name, func(t *testing.T) {
			g, rec := newGuard(t, dbguard.Policy{})
			c.do(permissive, g)
			f := &failures{}
			dbguardtest.AssertChanged(f, rec, "users", c.users)
			dbguardtest.AssertNothingDestroyed(f, rec)
			var want []string
			if c.changed != "" {
				want = append(want, c.changed)
			}
			if c.destroyed != "" {
				want = append(want, c.destroyed)
				last := len(f.texts) - 1
				require.GreaterOrEqual(t, last, 0)
				require.Contains(t, f.texts[last], "recorded:\n  OUTCOME")
				f.texts[last] = firstLine.FindString(f.texts[last])
			}
			require.Equal(t, want, f.texts)
		})
	}
}

func TestRecorderIsSafeForConcurrentUse(t *testing.T) {
	g, rec := newGuard(t, dbguard.Policy{})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			_ = erase(dbguard.AtMost(background, 1), g, "users", 1, nil)
			_, _ = rec.Events(), rec.String()
		})
	}
	wg.Wait()
	dbguardtest.AssertChanged(t, rec, "users", 100)
	events := rec.Events()
	events[0].Rows = 99
	dbguardtest.AssertChanged(t, rec, "users", 100, "Events is a copy")
	rec.Reset()
	dbguardtest.AssertNothingDestroyed(t, rec)
}

func TestRecorderString(t *testing.T) {
	g, rec := newGuard(t, dbguard.Policy{})
	_ = erase(background, g, "users", 1, nil)
	require.Equal(t, "OUTCOME  OPERATION        ROWS  RULE             SITE\n"+
		"refused  DELETE on users  -     DG201 Unbounded  door_test.go:N\n", withoutLines(rec.String()))
}

// helped counts that the assertions' own lines are kept out of reports.
type helped struct {
	failures
	calls int
}

func (h *helped) Helper() { h.calls++ }

func TestAssertionsAreHelpers(t *testing.T) {
	h := &helped{}
	dbguardtest.AssertRefused(h, nil, dbguard.OverLimit)
	require.Equal(t, 2, h.calls, "the assertion and what reports for it")
}
