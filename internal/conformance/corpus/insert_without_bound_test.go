package corpus

import (
	"errors"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// inserting matches a text that begins with INSERT; upserting matches an upsert, a REPLACE,
// a text of several statements, or one that changes a setting.
var (
	inserting = regexp.MustCompile(`(?i)^INSERT\s`)
	upserting = regexp.MustCompile(`(?i)DUPLICATE KEY|DO UPDATE|OR REPLACE|;.*\S|SET_VAR`)
)

// overcounted are INSERTs that change no existing row and are counted as if they did: what
// cannot tell a new row from an old one errs on that side.
var overcounted = map[string]string{
	"my-524": "a trigger inserts into a table that cannot be rolled back",
	"my-535": "a trigger sets rows to what they were",
}

// overcountedInTx are overcounted only in the caller's transaction.
var overcountedInTx = map[string]string{
	"pg-529":  "a trigger updates the row that was added",
	"pgl-001": "a trigger updates the rows that were added",
}

// TestInsertWithoutABound: an INSERT that only adds rows needs no bound, whatever triggers
// it fires; one that changes an existing row is refused, and has changed nothing.
func TestInsertWithoutABound(t *testing.T) {
	for _, tg := range target.All() {
		t.Run(tg.String(), func(t *testing.T) {
			f := newFixture(t, tg)
			f.unbounded = true
			for _, e := range For(load(t), tg.Engine, tg.Engine.Major(t)) {
				if inserting.MatchString(e.Statement) && !upserting.MatchString(e.Statement) {
					t.Run(e.ID, func(t *testing.T) { insertWithoutABound(t, f, e) })
				}
			}
		})
	}
}

func insertWithoutABound(t *testing.T, f *fixture, e Entry) {
	f.use(t, e)
	e = f.measure(t, e)
	for _, m := range []Mode{Modes[0], Modes[len(Modes)-1]} {
		o := f.Run(t, m, guard)
		refused := errors.Is(o.Err, dbguard.ErrRefused)
		if overcounted[e.ID] != "" || m.inTx && overcountedInTx[e.ID] != "" {
			assert.True(t, refused, "%s: %s is counted rightly: take it off the list", m.Name, e.Statement)
			continue
		}
		if *e.RowsHit == 0 {
			assert.False(t, refused, "%s: %s: %v", m.Name, e.Statement, o.Err)
			continue
		}
		assert.Error(t, o.Err, "%s: %s", m.Name, e.Statement) // its own, if it has one
		assert.True(t, o.Diff.Empty(), "%s: %s: %v", m.Name, e.Statement, o.Diff)
	}
}
