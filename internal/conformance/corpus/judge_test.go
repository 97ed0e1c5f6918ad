package corpus

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/snapshot"
)

func TestJudge(t *testing.T) {
	var (
		harmless  = Entry{BoundedOK: true}
		dangerous = Entry{}
		execMode  = Mode{Name: "exec"}
		txMode    = Mode{Name: "tx", inTx: true}
		refused   = fmt.Errorf("wrapped: %w", &dbguard.Violation{Effect: dbguard.EffectUndone})
		unsure    = &dbguard.Violation{Effect: dbguard.EffectUnknown}
		lostTwo   = snapshot.Diff{Lost: map[string]int{"t": 2}}
		lostOne   = snapshot.Diff{Lost: map[string]int{"t": 1}}
		broken    = errors.New("bad connection")
	)
	for _, c := range []struct {
		name          string
		entry         Entry
		mode          Mode
		guarded, bare Outcome
		want          []Kind
	}{
		{"allowed, as bare", harmless, execMode, Outcome{Diff: lostOne}, Outcome{Diff: lostOne}, nil},
		{"a driver's own error, as bare", dangerous, execMode, Outcome{Err: broken}, Outcome{Err: broken}, nil},
		{"refused, nothing changed", dangerous, execMode, Outcome{Err: refused}, Outcome{Diff: lostTwo}, nil},
		{"refused, transaction kept", dangerous, txMode, Outcome{Err: refused, Marker: true}, Outcome{}, nil},
		{"harmless but fails bare too", harmless, execMode, Outcome{Err: refused}, Outcome{Err: broken}, nil},

		{"went through", dangerous, execMode, Outcome{Diff: lostTwo}, Outcome{Diff: lostTwo}, []Kind{Escape}},
		{"refused after the fact", dangerous, execMode, Outcome{Err: refused, Diff: lostTwo}, Outcome{}, []Kind{Escape, HalfDone}},
		{"refused, one row gone", dangerous, execMode, Outcome{Err: refused, Diff: lostOne}, Outcome{}, []Kind{HalfDone}},
		{"nobody knows", dangerous, execMode, Outcome{Err: unsure}, Outcome{}, []Kind{HalfDone}},
		{"harmless refused", harmless, execMode, Outcome{Err: refused}, Outcome{}, []Kind{FalseRefusal}},
		{"connection broken", dangerous, execMode, Outcome{Err: refused, Alive: broken}, Outcome{}, []Kind{Connection}},
		{"connection replaced", dangerous, execMode, Outcome{Err: refused, Replaced: true}, Outcome{}, []Kind{Connection}},
		{"transaction aborted", dangerous, txMode, Outcome{Err: refused, Alive: broken, Marker: true}, Outcome{}, []Kind{Transaction}},
		{"transaction rolled back", dangerous, txMode, Outcome{Err: refused}, Outcome{}, []Kind{Transaction}},
		{"goroutine left", harmless, execMode, Outcome{Leak: broken}, Outcome{}, []Kind{Leak}},
		{"fails guarded only", harmless, execMode, Outcome{Err: broken}, Outcome{}, []Kind{Differs}},
		{"fails bare only", harmless, execMode, Outcome{}, Outcome{Err: broken}, []Kind{Differs}},
		{"does less", harmless, execMode, Outcome{}, Outcome{Diff: lostOne}, []Kind{Differs}},
		{"another count", harmless, execMode, Outcome{Answer: answer{result: "1"}}, Outcome{Answer: answer{result: "2"}}, []Kind{Differs}},
		{"other columns", harmless, execMode, Outcome{Answer: answer{shape: "a"}}, Outcome{}, []Kind{Differs}},
		{"other rows", harmless, execMode, Outcome{Answer: answer{rows: "a"}}, Outcome{}, []Kind{Differs}},
		{"not committed", harmless, txMode, Outcome{}, Outcome{Marker: true}, []Kind{Differs}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var kinds []Kind
			for _, f := range Judge(c.entry, c.mode, c.guarded, func() Outcome { return c.bare }) {
				kinds = append(kinds, f.Kind)
			}
			assert.Equal(t, c.want, kinds)
		})
	}
}
