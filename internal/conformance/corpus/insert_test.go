package corpus

import (
	"errors"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// inserting is a text that only an INSERT begins, and no upsert or REPLACE is.
var (
	inserting = regexp.MustCompile(`(?i)^INSERT\s`)
	upserting = regexp.MustCompile(`(?i)DUPLICATE KEY|DO UPDATE|OR REPLACE|;.*\S`)
)

// countsMore are INSERTs that change no row that was there, and are counted as if
// they did: what cannot tell a new row from an old one errs on that side.
var countsMore = map[string]string{
	"my-524": "a trigger inserts into a table that cannot be rolled back",
	"my-535": "a trigger sets rows to what they were",
}

// countsMoreInTx are those that do so in the caller's transaction alone.
var countsMoreInTx = map[string]string{
	"pg-529":  "a trigger updates the row that was added",
	"pgl-001": "a trigger updates the rows that were added",
}

// TestInsertWithoutABound: who says nothing is not bothered by an INSERT that only
// adds rows, whatever triggers it sets off; one that changes a row that is there
// is refused, and has changed nothing.
func TestInsertWithoutABound(t *testing.T) {
	for _, tg := range target.All() {
		t.Run(tg.String(), func(t *testing.T) {
			g := newGround(t, tg)
			g.unbounded = true
			for _, e := range For(load(t), tg.Engine) {
				if inserting.MatchString(e.Statement) && !upserting.MatchString(e.Statement) {
					t.Run(e.ID, func(t *testing.T) { insertWithoutABound(t, g, e) })
				}
			}
		})
	}
}

func insertWithoutABound(t *testing.T, g *ground, e Entry) {
	g.turn(t, e)
	for _, m := range []Mode{Modes[0], Modes[len(Modes)-1]} {
		o := g.Run(t, m, guard)
		refused := errors.Is(o.Err, dbguard.ErrRefused)
		if countsMore[e.ID] != "" || m.inTx && countsMoreInTx[e.ID] != "" {
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
