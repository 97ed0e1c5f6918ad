package property

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/snapshot"
)

// A failing is a way in which a guarded run can fall short of the promise.
type failing string

// The failings.
const (
	escape     failing = "escape"      // more existing rows than the bound
	overStrict failing = "over-strict" // refused, within the bound, and no rule says why
	changed    failing = "changed"     // refused, and the database is not as it was
	connection failing = "connection"  // refused, and the connection or its transaction does not work
	differs    failing = "differs"     // not refused, and not what happens bare
	invalid    failing = "invalid"     // the case says nothing
)

// A verdict is the judgement of one case.
type verdict struct {
	Failing failing // "" if the promise was kept
	Why     string
	Refused dbguard.RuleID
	Lost    snapshot.Diff // what the statement does bare
	Rows    int64         // what the guard says that it did
	Within  bool          // refused although the bare run is within the bound
	BareErr bool          // the statement fails bare, too
	Again   bool          // the transaction is lost, as its schema is not the one that the connection has met
	Touched int           // how often it touches a row, where that explains the refusal
}

func (v verdict) fails(f failing, format string, args ...any) verdict {
	v.Failing, v.Why = f, fmt.Sprintf(format, args...)
	return v
}

// patience ends a case that hangs.
const patience = 20 * time.Second

// try runs a case on both sides and judges it.
func (a *arena) try(ctx context.Context, c *testcase) verdict {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := a.prepare(ctx, c); err != nil {
		return verdict{}.fails(invalid, "setup: %v", err)
	}
	var start *snapshot.Snapshot
	var bare, guarded outcome
	var bareErr, guardedErr error
	both(func() {
		start = a.bare.look(ctx, a.bare.admin, &bareErr)
		bare = a.bare.run(ctx, c)
		bare.final = a.bare.look(ctx, a.bare.admin, &bareErr)
	}, func() {
		guarded = a.guarded.run(ctx, c)
		guarded.final = a.guarded.look(ctx, a.guarded.admin, &guardedErr)
	})
	if err := errors.Join(bareErr, bare.prelude, guardedErr); err != nil {
		return verdict{}.fails(invalid, "%v", err)
	}
	return c.judge(start, &bare, &guarded)
}

// both runs two things that have nothing in common at the same time.
func both(one, other func()) {
	var running sync.WaitGroup
	running.Go(one)
	other()
	running.Wait()
}

// judge holds a guarded run to the bare one.
func (c *testcase) judge(start *snapshot.Snapshot, bare, guarded *outcome) verdict {
	v := verdict{Rows: -1, BareErr: bare.err != nil}
	if bare.err == nil {
		v.Lost = snapshot.Between(bare.before, c.later(bare))
	}
	if guarded.prelude != nil {
		return v.fails(differs, "before the statement: %v", guarded.prelude)
	}
	var refusal *dbguard.Violation
	if errors.As(guarded.err, &refusal) {
		v.Refused, v.Rows = refusal.Rule, refusal.Rows
		return c.judgeRefusal(v, start, bare, guarded, refusal)
	}
	if c.Delayed && errors.As(guarded.end, &refusal) {
		v.Refused, v.Rows = refusal.Rule, refusal.Rows
		return c.judgeCommit(v, start, bare, guarded, refusal)
	}
	if c.Wrap != alone && again(guarded.err) {
		v.Again = true
		if d := difference(start, guarded.final); d != "" || guarded.other || guarded.next != nil {
			return v.fails(changed, "%s, another connection: %t, %v after %v", d, guarded.other, guarded.next, guarded.err)
		}
		return v
	}
	if difference := compare(bare, guarded); difference != "" && !c.cleaner(start, bare, guarded) {
		return v.fails(differs, "%s", difference)
	}
	if bare.err == nil && v.Lost.RowsHit() > c.Bound.N {
		return v.fails(escape, "bound %d: %s", c.Bound.N, v.Lost)
	}
	return v
}

// cleaner reports that the statement failed on both sides, and that only the
// guard has undone all of it: SQLite leaves a row deleted whose child a trigger
// kept back with RAISE(IGNORE), and says that the foreign key failed.
func (c *testcase) cleaner(start *snapshot.Snapshot, bare, guarded *outcome) bool {
	if bare.err == nil || text(bare.err) != text(guarded.err) {
		return false
	}
	want := start
	if c.Wrap != alone && c.Keep {
		want = bare.before
	}
	return difference(want, guarded.final) == ""
}

// later is what the statement has led to: what is committed, where it is.
func (c *testcase) later(bare *outcome) *snapshot.Snapshot {
	if c.Wrap != alone && !c.Keep || bare.end != nil {
		return bare.then
	}
	return bare.final
}

func (c *testcase) judgeRefusal(v verdict, start *snapshot.Snapshot, bare, guarded *outcome, refusal *dbguard.Violation) verdict {
	want := start
	if c.Wrap != alone && c.Keep {
		want = bare.before
	}
	switch d := difference(want, guarded.final); {
	case refusal.Effect != dbguard.EffectNone && refusal.Effect != dbguard.EffectUndone:
		return v.fails(changed, "effect %v: %v", refusal.Effect, refusal)
	case d != "":
		return v.fails(changed, "%s after %v", d, refusal)
	}
	broken := errors.Join(guarded.alive, guarded.end, guarded.next)
	if guarded.other || broken != nil {
		return v.fails(connection, "another connection: %t, %v after %v", guarded.other, broken, refusal)
	}
	v.Within = bare.err == nil && bare.end == nil && v.Lost.RowsHit() <= c.Bound.N
	if v.Within && !c.mayRefuse(v.Refused) {
		return v.fails(overStrict, "bare: %q; %v", v.Lost, refusal)
	}
	return v
}

// again reports that a transaction ended because another session has changed its
// table shortly before.
func again(err error) bool {
	return err != nil && strings.Contains(err.Error(), "run the transaction again")
}

// judgeCommit judges the refusal of a COMMIT, whose triggers go over the bound:
// nothing of the transaction is left.
func (c *testcase) judgeCommit(v verdict, start *snapshot.Snapshot, bare, guarded *outcome, refusal *dbguard.Violation) verdict {
	if d := difference(start, guarded.final); d != "" || refusal.Effect != dbguard.EffectUndone {
		return v.fails(changed, "%s, effect %v after %v", d, refusal.Effect, refusal)
	}
	if guarded.other || guarded.next != nil {
		return v.fails(connection, "another connection: %t, %v after %v", guarded.other, guarded.next, refusal)
	}
	v.Within = bare.end == nil && v.Lost.RowsHit() <= c.Bound.N
	if v.Within && !c.mayRefuse(v.Refused) {
		return v.fails(overStrict, "bare: %q; %v", v.Lost, refusal)
	}
	return v
}

// difference is what tells two states apart. The row that shows that a
// transaction still works is in every state that was committed after it.
func difference(want, is *snapshot.Snapshot) string {
	return snapshot.Between(withoutMark(want), withoutMark(is)).String()
}

func withoutMark(s *snapshot.Snapshot) *snapshot.Snapshot {
	var kept [][]string
	for _, row := range s.Tables["log"].Rows {
		if !strings.Contains(row[0], "after") {
			kept = append(kept, row)
		}
	}
	t := &snapshot.Snapshot{Tables: map[string]snapshot.Table{}}
	for name, table := range s.Tables {
		t.Tables[name] = table
	}
	if len(kept) > 0 {
		t.Tables["log"] = snapshot.Table{Columns: []string{"row"}, Rows: kept}
	} else {
		delete(t.Tables, "log")
	}
	return t
}

// compare says what the caller of a statement that was not refused would
// notice of the guard.
func compare(bare, guarded *outcome) string {
	for _, x := range []struct{ what, bare, guarded string }{
		{"error", text(bare.err), text(guarded.err)},
		{"answer", bare.answer, guarded.answer},
		{"statement after it", text(bare.alive), text(guarded.alive)},
		{"end of the transaction", text(bare.end), text(guarded.end)},
		{"next read", text(bare.next), text(guarded.next)},
		{"another connection", fmt.Sprint(bare.other), fmt.Sprint(guarded.other)},
	} {
		if x.bare != x.guarded {
			return fmt.Sprintf("%s: bare %q, guarded %q", x.what, x.bare, x.guarded)
		}
	}
	if d := snapshot.Between(bare.final, guarded.final); !d.Empty() {
		return "rows, from bare to guarded: " + d.String()
	}
	return ""
}

// text is what two errors are compared by: the server's code where there is
// one, as positions and names of statements move.
func text(err error) string {
	if err == nil {
		return ""
	}
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return "SQLSTATE " + coded.SQLState()
	}
	var numbered *mysql.MySQLError
	if errors.As(err, &numbered) { // its text names the database
		return fmt.Sprintf("error %d", numbered.Number)
	}
	return err.Error()
}
