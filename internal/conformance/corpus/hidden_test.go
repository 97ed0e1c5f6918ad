package corpus

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// TestHidden runs statements of our own, whose rows are mostly where the text
// does not say. What each hits is measured on a bare run first: no number is
// written down, and nothing is explained away.
func TestHidden(t *testing.T) {
	entries, err := Load("../testdata/hidden.jsonl")
	require.NoError(t, err)
	for _, tg := range target.All() {
		t.Run(tg.String(), func(t *testing.T) {
			dangerous, refused, total := 0, 0, 0
			for _, e := range For(entries, tg.Engine) {
				t.Run(e.ID, func(t *testing.T) {
					truth := newGround(t, tg, e).Run(t, Modes[0], bare)
					hit := truth.Diff.RowsHit()
					e.RowsHit, e.BoundedOK = &hit, truth.Diff.Escape(1) == ""
					g := newGround(t, tg, e)
					for _, m := range Modes {
						if truth.Err != nil || hangs(tg, m, e) || skipped(m, e) {
							continue
						}
						o := g.Run(t, m, guard)
						total++
						if !e.BoundedOK {
							dangerous++
						}
						if errors.Is(o.Err, dbguard.ErrRefused) {
							refused++
						}
						found := Judge(e, m, o, func() Outcome { return g.Run(t, m, bare) })
						assert.Empty(t, found, "%s, %s: %s (hits %d): %v", m.Name, e.Note, e.Statement, hit, o.Err)
					}
				})
			}
			t.Logf("%d runs, %d dangerous, %d refused", total, dangerous, refused)
		})
	}
}

// skipped are statements that end the caller's transaction by themselves.
func skipped(m Mode, e Entry) bool { return m.inTx && e.Note == "procedures that cannot be undone" }
