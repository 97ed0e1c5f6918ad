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

// A failure is a way in which a guarded run can break the promise.
type failure string

// The failures.
const (
	escape     failure = "escape"      // more existing rows than the bound
	overStrict failure = "over-strict" // refused, within the bound, and no rule says why
	changed    failure = "changed"     // refused, and the database is not as it was
	connection failure = "connection"  // refused, and the connection or its transaction does not work
	differs    failure = "differs"     // not refused, and not what happens bare
	invalid    failure = "invalid"     // the case proves nothing
)

// A verdict is the judgement of one case.
type verdict struct {
	Failing failure // "" if the promise was kept
	Why     string
	Refused dbguard.RuleID
	Lost    snapshot.Diff // what the statement does bare
	Rows    int64         // the rows that the guard reports
	Within  bool          // refused although the bare run is within the bound
	BareErr bool          // the statement fails bare, too
	Again   bool          // the transaction failed, and is to be run again: its schema is not the one that the connection has met
	Touched int           // how often it touches rows, if that explains the refusal
}

func (v verdict) fails(f failure, format string, args ...any) verdict {
	v.Failing, v.Why = f, fmt.Sprintf(format, args...)
	return v
}

// caseTimeout ends a case that hangs.
const caseTimeout = 20 * time.Second

// try runs a case on both sides and judges it.
func (p *pair) try(ctx context.Context, c *testcase) verdict {
	ctx, cancel := context.WithTimeout(ctx, caseTimeout)
	defer cancel()
	if err := p.prepare(ctx, c); err != nil {
		return verdict{}.fails(invalid, "setup: %v", err)
	}
	var start *snapshot.Snapshot
	var bare, guarded outcome
	var bareErr, guardedErr error
	both(func() {
		start = p.bare.readRows(ctx, p.bare.admin, &bareErr)
		bare = p.bare.run(ctx, c)
		bare.final = p.bare.readRows(ctx, p.bare.admin, &bareErr)
	}, func() {
		guarded = p.guarded.run(ctx, c)
		guarded.final = p.guarded.readRows(ctx, p.guarded.admin, &guardedErr)
	})
	if err := errors.Join(bareErr, bare.prelude, guardedErr); err != nil {
		return verdict{}.fails(invalid, "%v", err)
	}
	return c.judge(start, &bare, &guarded)
}

// both runs two independent functions at the same time.
func both(one, other func()) {
	var running sync.WaitGroup
	running.Go(one)
	other()
	running.Wait()
}

// judge compares a guarded run with the bare one.
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
	if c.Deferred && errors.As(guarded.end, &refusal) {
		v.Refused, v.Rows = refusal.Rule, refusal.Rows
		return c.judgeCommit(v, start, bare, guarded, refusal)
	}
	if c.Wrap != autocommit && retryable(guarded.err) {
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

// cleaner reports that the statement failed on both sides, and that only the guard has rolled
// all of it back: SQLite leaves a row deleted whose child a trigger kept with RAISE(IGNORE),
// and says that the foreign key failed.
func (c *testcase) cleaner(start *snapshot.Snapshot, bare, guarded *outcome) bool {
	if bare.err == nil || text(bare.err) != text(guarded.err) {
		return false
	}
	want := start
	if c.Wrap != autocommit && c.Keep {
		want = bare.before
	}
	return difference(want, guarded.final) == ""
}

// later is the state that the statement has led to: the committed one, if it was committed.
func (c *testcase) later(bare *outcome) *snapshot.Snapshot {
	if c.Wrap != autocommit && !c.Keep || bare.end != nil {
		return bare.afterwards
	}
	return bare.final
}

func (c *testcase) judgeRefusal(v verdict, start *snapshot.Snapshot, bare, guarded *outcome, refusal *dbguard.Violation) verdict {
	want := start
	if c.Wrap != autocommit && c.Keep {
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

// retryable reports that a transaction failed because another session has changed its table
// shortly before.
func retryable(err error) bool {
	return err != nil && strings.Contains(err.Error(), "run the transaction again")
}

// judgeCommit judges a refused COMMIT, whose deferred triggers go over the bound: nothing of
// the transaction is left.
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

// difference compares two states, without the row that shows that a transaction still works.
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

// compare says which difference the caller of a statement that was not refused would notice.
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

// text is what two errors are compared by: the server's code where there is one, as positions
// and names of statements differ.
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
