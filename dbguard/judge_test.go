package dbguard_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "run go test -update if this is meant")
}

// judgement is an operation that is refused or undone.
type judgement struct {
	name  string
	ctx   context.Context
	op    dbguard.Op
	count dbguard.Count
	rules []dbguard.RuleID // of all findings, in order
	want  string           // Error(), whole
}

func atMost(n int64) context.Context { return dbguard.AtMost(background, n) }

// refusals has a row for each way in which a rule refuses. What must be set
// and is not said by the rule's own name stands in the row's name.
func refusals() []judgement {
	return slices.Concat(structureRefusals(), boundRefusals(), countRefusals(), textRefusals())
}

func structureRefusals() []judgement {
	return []judgement{
		{
			name: "a database is created", ctx: background,
			op:    op("CREATE DATABASE", "crm", "CREATE DATABASE crm", dbguard.Act{Verb: dbguard.Create}),
			rules: []dbguard.RuleID{dbguard.ImplicitCreate},
			want: `cleanup.go:42: DG101 ImplicitCreate: CREATE DATABASE on crm would create a database that nobody asked for; nothing was changed. ` +
				`If it should exist, check that this is the right server; to create it on purpose: dbguard.Allow(ctx, reason, dbguard.CreateDatabase("crm")).`,
		},
		{
			name: "a table is dropped", ctx: background, op: dropTable("users"),
			rules: []dbguard.RuleID{dbguard.Drop},
			want: `cleanup.go:42: DG102 Drop: DROP TABLE on users would lose it for good; nothing was changed. ` +
				`To drop it on purpose: dbguard.Allow(ctx, reason, dbguard.DropTable("users")).`,
		},
		{
			name: "a database is dropped, and a grant to drop the table of that name does not help",
			ctx:  dbguard.Allow(background, "test", dbguard.DropTable("crm")),
			op:   op("DROP DATABASE", "crm", "DROP DATABASE crm", dbguard.Act{Verb: dbguard.RemoveDatabase}), rules: []dbguard.RuleID{dbguard.Drop},
			want: `cleanup.go:42: DG102 Drop: DROP DATABASE on crm would lose it for good; nothing was changed. ` +
				`To drop it on purpose: dbguard.Allow(ctx, reason, dbguard.DropDatabase("crm")).`,
		},
		{
			name: "two tables are dropped and one is granted: the finding names the other",
			ctx:  dbguard.Allow(background, "test", dbguard.DropTable("users")),
			op: dbguard.Op{Name: "DROP TABLE", Text: "DROP TABLE users, posts", Statements: 1, Acts: []dbguard.Act{
				{Verb: dbguard.Remove, Object: "users"}, {Verb: dbguard.Remove, Object: "posts"},
			}},
			rules: []dbguard.RuleID{dbguard.Drop},
			want: `cleanup.go:42: DG102 Drop: DROP TABLE on posts would lose it for good; nothing was changed. ` +
				`To drop it on purpose: dbguard.Allow(ctx, reason, dbguard.DropTable("posts")).`,
		},
		{
			name: "a table is emptied", ctx: atMost(100),
			op:    op("TRUNCATE", "sessions", "TRUNCATE sessions", dbguard.Act{Verb: dbguard.Empty}),
			rules: []dbguard.RuleID{dbguard.RuleTruncate},
			want: `cleanup.go:42: DG103 Truncate: TRUNCATE on sessions would remove every row; nothing was changed. ` +
				`Use a bounded DELETE, or: dbguard.Allow(ctx, reason, dbguard.Truncate("sessions")).`,
		},
		{
			name: "a column is removed", ctx: atMost(100),
			op:    op("ALTER TABLE", "users", "ALTER TABLE users DROP COLUMN name", dbguard.Act{Verb: dbguard.Reshape, Note: "DROP COLUMN name"}),
			rules: []dbguard.RuleID{dbguard.Alter},
			want: `cleanup.go:42: DG104 Alter: ALTER TABLE on users would change what is stored, not only add to it (DROP COLUMN name); nothing was changed. ` +
				`To alter it on purpose: dbguard.Allow(ctx, reason, dbguard.AlterTable("users")).`,
		},
		{
			name: "a protection is turned off", ctx: atMost(100),
			op:    op("SET", "", "SET foreign_key_checks = ?", dbguard.Act{Verb: dbguard.Unprotect, Note: "foreign_key_checks = 0"}),
			rules: []dbguard.RuleID{dbguard.GuardOff},
			want: `cleanup.go:42: DG105 GuardOff: SET would turn a protection of the server off (foreign_key_checks = 0); nothing was changed. ` +
				`Leave it on, or take the responsibility: dbguard.Allow(ctx, reason, dbguard.Opaque()).`,
		},
	}
}

func boundRefusals() []judgement {
	return []judgement{
		{
			name: "no bound", ctx: background, op: deleteFrom("users"),
			rules: []dbguard.RuleID{dbguard.Unbounded},
			want: `cleanup.go:42: DG201 Unbounded: DELETE on users has no bound; nothing was changed. ` +
				`Say how many rows it may change: dbguard.AtMost(ctx, n).`,
		},
		{
			name: "no bound on two tables is one finding", ctx: background,
			op: dbguard.Op{Name: "DELETE", Text: "DELETE a, b FROM a, b WHERE a.id = b.id", Statements: 1, Acts: []dbguard.Act{
				{Verb: dbguard.Delete, Object: "a"}, {Verb: dbguard.Delete, Object: "b"},
			}},
			rules: []dbguard.RuleID{dbguard.Unbounded},
			want: `cleanup.go:42: DG201 Unbounded: DELETE on a, b has no bound; nothing was changed. ` +
				`Say how many rows it may change: dbguard.AtMost(ctx, n).`,
		},
		{
			name: "neither bound nor WHERE: both are told at once", ctx: background, op: deleteAll("users"),
			rules: []dbguard.RuleID{dbguard.Unbounded, dbguard.Unfiltered},
			want: `cleanup.go:42: DG201 Unbounded: DELETE on users has no bound; nothing was changed. ` +
				`Say how many rows it may change: dbguard.AtMost(ctx, n).`,
		},
		{
			name: "no WHERE", ctx: atMost(10), op: deleteAll("users"), count: rows(1),
			rules: []dbguard.RuleID{dbguard.Unfiltered},
			want: `cleanup.go:42: DG202 Unfiltered: DELETE on users has no WHERE: every row is addressed; nothing was changed. ` +
				`Add a WHERE, or say that every row is meant: dbguard.Allow(ctx, reason, dbguard.AllRows("users")).`,
		},
		{
			name: "no WHERE and no count", ctx: dbguard.Allow(atMost(10), "test", dbguard.Opaque()), op: deleteAll("users"), count: rows(-1),
			rules: []dbguard.RuleID{dbguard.Unfiltered},
			want: `cleanup.go:42: DG202 Unfiltered: DELETE on users has no WHERE: every row is addressed; nothing was changed. ` +
				`Add a WHERE, or say that every row is meant: dbguard.Allow(ctx, reason, dbguard.AllRows("users")).`,
		},
		{
			name: "a WHERE that is always true", ctx: atMost(10),
			op:    op("UPDATE", "users", "UPDATE users SET name = ? WHERE ? = ?", dbguard.Act{Verb: dbguard.Update, Filter: dbguard.AlwaysMet}),
			count: rows(3), rules: []dbguard.RuleID{dbguard.AlwaysTrue},
			want: `cleanup.go:42: DG203 AlwaysTrue: UPDATE on users has a WHERE that is true for every row; nothing was changed. ` +
				`Write the condition that is meant, or say that every row is: dbguard.Allow(ctx, reason, dbguard.AllRows("users")).`,
		},
	}
}

func countRefusals() []judgement {
	cascade := dbguard.Count{Rows: 213, Tables: []dbguard.TableRows{{Table: "users", Rows: 1}, {Table: "posts", Rows: 212, Via: "ON DELETE CASCADE"}}}
	return []judgement{
		{
			name: "over the limit", ctx: atMost(10), op: deleteFrom("navigation"), count: rows(11),
			rules: []dbguard.RuleID{dbguard.OverLimit},
			want: `cleanup.go:42: DG204 OverLimit: DELETE on navigation would change more than 10 rows; nothing was changed. ` +
				`Raise the bound: dbguard.AtMost(ctx, n).`,
		},
		{
			name: "over the limit by cascade: the hidden table is named", ctx: atMost(1), op: deleteFrom("users"), count: cascade,
			rules: []dbguard.RuleID{dbguard.OverLimit},
			want: `cleanup.go:42: DG204 OverLimit: DELETE on users would change more than 1 row: ` +
				`1 row of users and 212 rows of posts (ON DELETE CASCADE); nothing was changed. Raise the bound: dbguard.AtMost(ctx, n).`,
		},
		{
			name: "fewer than exactly", ctx: dbguard.Exactly(background, 2), op: deleteFrom("users"), count: rows(1),
			rules: []dbguard.RuleID{dbguard.UnderLimit},
			want: `cleanup.go:42: DG205 UnderLimit: DELETE on users changed 1 row, not exactly 2; nothing was changed. ` +
				`Look why they are not there, or allow fewer: dbguard.AtMost(ctx, n).`,
		},
		{
			name: "exactly counts the named table alone from below", ctx: dbguard.Exactly(background, 213), op: deleteFrom("users"), count: cascade,
			rules: []dbguard.RuleID{dbguard.UnderLimit},
			want: `cleanup.go:42: DG205 UnderLimit: DELETE on users changed 1 row, not exactly 213; nothing was changed. ` +
				`Look why they are not there, or allow fewer: dbguard.AtMost(ctx, n).`,
		},
		{
			name: "over the budget", ctx: dbguard.Budget(background, 5), op: deleteFrom("users"), count: rows(6),
			rules: []dbguard.RuleID{dbguard.OverBudget},
			want: `cleanup.go:42: DG206 OverBudget: DELETE on users would exceed its budget, 5 rows left; nothing was changed. ` +
				`Raise the budget: dbguard.Budget(ctx, n).`,
		},
		{
			name: "over limit and budget: both are told", ctx: dbguard.Budget(atMost(2), 1), op: deleteFrom("users"), count: rows(3),
			rules: []dbguard.RuleID{dbguard.OverLimit, dbguard.OverBudget},
			want: `cleanup.go:42: DG204 OverLimit: DELETE on users would change more than 2 rows; nothing was changed. ` +
				`Raise the bound: dbguard.AtMost(ctx, n).`,
		},
		{
			name: "the door knows that it cannot be counted", ctx: atMost(1),
			op:    op("DELETE", "log", "ALTER TABLE log DELETE WHERE id = ?", dbguard.Act{Verb: dbguard.Uncounted, Note: "an asynchronous mutation"}),
			rules: []dbguard.RuleID{dbguard.Uncountable},
			want: `cleanup.go:42: DG207 Uncountable: DELETE on log cannot be counted or undone (an asynchronous mutation); nothing was changed. ` +
				`Use a transactional engine, or take the responsibility: dbguard.Allow(ctx, reason, dbguard.Opaque()).`,
		},
		{
			name: "the engine lost the count", ctx: atMost(1), op: deleteFrom("users"), count: rows(-1),
			rules: []dbguard.RuleID{dbguard.Uncountable},
			want: `cleanup.go:42: DG207 Uncountable: DELETE on users cannot be counted or undone; nothing was changed. ` +
				`Use a transactional engine, or take the responsibility: dbguard.Allow(ctx, reason, dbguard.Opaque()).`,
		},
	}
}

func textRefusals() []judgement {
	return []judgement{
		{
			name: "unreadable text has no name", ctx: atMost(1),
			op:    dbguard.Op{Text: "DELETE FROM users WHERE name = ?", Acts: []dbguard.Act{{Note: "a string that does not end, at 31"}}},
			rules: []dbguard.RuleID{dbguard.Unreadable},
			want: `cleanup.go:42: DG301 Unreadable: statement cannot be read (a string that does not end, at 31); nothing was changed. ` +
				`Correct the text, or take the responsibility: dbguard.Allow(ctx, reason, dbguard.Opaque()).`,
		},
		{
			name: "an operation that does nothing the door could name", ctx: atMost(1), op: dbguard.Op{Name: "FROB", Text: "FROB"},
			rules: []dbguard.RuleID{dbguard.Unreadable},
			want: `cleanup.go:42: DG301 Unreadable: FROB cannot be read; nothing was changed. ` +
				`Correct the text, or take the responsibility: dbguard.Allow(ctx, reason, dbguard.Opaque()).`,
		},
		{
			name: "unreadable and unbounded: in the order of the rules", ctx: background,
			op: dbguard.Op{Name: "DELETE", Text: "DELETE FROM users; ?", Statements: 1, Acts: []dbguard.Act{
				{Verb: dbguard.Unread}, {Verb: dbguard.Delete, Object: "users", Filter: dbguard.NoFilter},
			}},
			rules: []dbguard.RuleID{dbguard.Unbounded, dbguard.Unfiltered, dbguard.Unreadable},
			want: `cleanup.go:42: DG201 Unbounded: DELETE on users has no bound; nothing was changed. ` +
				`Say how many rows it may change: dbguard.AtMost(ctx, n).`,
		},
		{
			name: "several statements", ctx: atMost(1),
			op: dbguard.Op{
				Name: "DELETE", Text: "SELECT ?; DELETE FROM users WHERE id = ?", Statements: 2,
				Acts: []dbguard.Act{{Verb: dbguard.Delete, Object: "users"}},
			},
			rules: []dbguard.RuleID{dbguard.Stacked},
			want: `cleanup.go:42: DG302 Stacked: DELETE on users stands in a text of several statements; nothing was changed. ` +
				`Send them one by one, or take the responsibility: dbguard.Allow(ctx, reason, dbguard.Opaque()).`,
		},
		{
			name: "code that can be counted, without a bound", ctx: background,
			op:    op("CALL", "purge", "CALL purge()", dbguard.Act{Verb: dbguard.Call}),
			rules: []dbguard.RuleID{dbguard.RuleOpaque},
			want: `cleanup.go:42: DG303 Opaque: CALL on purge runs code that is not in the text; nothing was changed. ` +
				`Give it a bound, dbguard.AtMost(ctx, n), or take the responsibility: dbguard.Allow(ctx, reason, dbguard.Opaque()).`,
		},
		{
			name: "code that nobody can count", ctx: atMost(1),
			op:    op("COPY", "", "COPY t TO PROGRAM ?", dbguard.Act{Verb: dbguard.Run, Note: "PROGRAM"}),
			rules: []dbguard.RuleID{dbguard.RuleOpaque},
			want: `cleanup.go:42: DG303 Opaque: COPY runs code that is not in the text (PROGRAM); nothing was changed. ` +
				`Send the statements themselves, or take the responsibility: dbguard.Allow(ctx, reason, dbguard.Opaque()).`,
		},
		{
			name: "code that turned out to drop a table", ctx: atMost(1),
			op:    op("CALL", "purge", "CALL purge()", dbguard.Act{Verb: dbguard.Call}),
			count: dbguard.Count{Structure: true}, rules: []dbguard.RuleID{dbguard.RuleOpaque},
			want: `cleanup.go:42: DG303 Opaque: CALL on purge drops, empties or alters a table, which its text does not say; nothing was changed. ` +
				`Send the statements themselves, or take the responsibility: dbguard.Allow(ctx, reason, dbguard.Opaque()).`,
		},
		{
			name: "a server that is not ready", ctx: atMost(1),
			op:    op("PUT", "tenants", "PUT /tenants/{doc}", dbguard.Act{Verb: dbguard.Unready, Note: "the node knows of 3 databases, b@host of 12"}),
			rules: []dbguard.RuleID{dbguard.NotReady},
			want: `cleanup.go:42: DG401 NotReady: PUT on tenants goes to a server that is not ready ` +
				`(the node knows of 3 databases, b@host of 12); nothing was changed. ` +
				`Send it to a node that is ready, or wait until this one is.`,
		},
		{
			name: "COMMIT inside a longer text", ctx: atMost(1),
			op: dbguard.Op{
				Name: "COMMIT", Text: "INSERT INTO users (id) VALUES (?); COMMIT", Statements: 2,
				Acts: []dbguard.Act{{Verb: dbguard.Insert, Object: "users"}, {Verb: dbguard.EndTransaction}},
			},
			rules: []dbguard.RuleID{dbguard.TransactionControl},
			want: `cleanup.go:42: DG304 TransactionControl: COMMIT ends a transaction from inside a longer text; nothing was changed. ` +
				`Use sql.Tx, or take the responsibility: dbguard.Allow(ctx, reason, dbguard.Opaque()).`,
		},
	}
}

func TestRefusals(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	var details strings.Builder
	for _, c := range refusals() {
		t.Run(c.name, func(t *testing.T) {
			err := run(c.ctx, g, c.op, c.count)
			v := violation(t, err)
			require.Equal(t, c.want, v.Error())
			require.Equal(t, c.rules, rulesOf(v.Findings))
			require.Equal(t, v.Findings[0].Fix, v.Fix)
			require.Contains(t, c.want, v.Fix)
			require.ErrorIs(t, err, dbguard.ErrRefused)
			for _, id := range c.rules {
				require.ErrorIs(t, err, id)
			}
			details.WriteString("== " + c.name + "\n" + v.Detail() + "\n")
		})
	}
	golden(t, "details.golden", details.String())
}

// Every rule that judges has a row above, and so has every one of its messages'
// branches that a row can reach.
func TestEveryRuleIsTested(t *testing.T) {
	elsewhere := map[dbguard.RuleID]string{
		dbguard.Unconfirmed:   "TestUnconfirmed: it is told by a lost reply, not found by judging",
		dbguard.UnboundedPool: "TestLevels: it warns by default",
	}
	seen := map[dbguard.RuleID]bool{}
	for _, c := range refusals() {
		for _, id := range c.rules {
			seen[id] = true
		}
	}
	for _, r := range dbguard.Rules() {
		if !seen[r.ID] && elsewhere[r.ID] == "" {
			t.Errorf("%s has no row in refusals", r.ID)
		}
	}
}

func rulesOf(findings []dbguard.Finding) (ids []dbguard.RuleID) {
	for _, f := range findings {
		ids = append(ids, f.Rule)
	}
	return ids
}

// What passes, and why it must.
func TestPasses(t *testing.T) {
	insert := op("INSERT", "users", "INSERT INTO users (id) VALUES (?)", dbguard.Act{Verb: dbguard.Insert})
	twoInserts := insert
	twoInserts.Statements = 2
	cases := []struct {
		name  string
		ctx   context.Context
		op    dbguard.Op
		count dbguard.Count
	}{
		{"an insert needs no bound", background, insert, rows(0)},
		{"several inserts in one text are no danger", background, twoInserts, rows(0)},
		{"at the bound", atMost(2), deleteFrom("users"), rows(2)},
		{"a bound of 0 and nothing found", atMost(0), deleteFrom("users"), rows(0)},
		{"exactly", dbguard.Exactly(background, 2), deleteFrom("users"), rows(2)},
		{"a budget is a bound", dbguard.Budget(background, 2), deleteFrom("users"), rows(2)},
		{"clearing an empty table", atMost(10), deleteAll("users"), rows(0)},
		{"clearing a table on purpose", dbguard.Allow(atMost(10), "fixtures", dbguard.AllRows("users")), deleteAll("users"), rows(10)},
		{"counted code within its bound", atMost(1), op("CALL", "purge", "CALL purge()", dbguard.Act{Verb: dbguard.Call}), rows(1)},
		{"uncounted rows on one's own responsibility", dbguard.Allow(atMost(1), "test", dbguard.Opaque()), deleteFrom("users"), rows(-1)},
	}
	g := newGuard(t, dbguard.Policy{})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { require.NoError(t, run(c.ctx, g, c.op, c.count)) })
	}
}

func TestUnconfirmed(t *testing.T) {
	rec := &recorder{}
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{rec}})
	o, err := g.Begin(atMost(1), deleteFrom("users"), nil)
	require.NoError(t, err)
	require.NoError(t, o.Settle(rows(1)))
	cause := errors.New("connection reset by peer")
	err = o.End(dbguard.EffectUnknown, cause)

	v := violation(t, err)
	require.Equal(t, `cleanup.go:42: DG208 Unconfirmed: the reply to DELETE on users was lost; `+
		`whether anything was changed is unknown (connection reset by peer). Look at the rows before running it again.`, err.Error())
	golden(t, "unconfirmed.golden", v.Detail())
	require.NotErrorIs(t, err, dbguard.ErrRefused)
	require.ErrorIs(t, err, dbguard.Unconfirmed)
	require.ErrorIs(t, err, cause)
	require.Equal(t, dbguard.EffectUnknown, v.Effect)
	e := rec.only(t)
	require.Equal(t, dbguard.OutcomeUnknown, e.Outcome)
	require.Equal(t, dbguard.Unconfirmed, e.Rule)
	require.EqualValues(t, 1, e.Rows)
}
