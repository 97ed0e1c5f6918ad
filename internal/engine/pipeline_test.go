package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// piped is a connection whose adapter can pipeline.
type piped struct {
	*fakeConn
	status byte
}

func (p piped) TxStatus() byte              { return p.status }
func (piped) ParameterStatus(string) string { return "" }
func (piped) Pipelined()                    {}

const fromTwo = "WITH d AS (DELETE FROM t RETURNING id) DELETE FROM u WHERE id IN (SELECT id FROM d)"

// startPipelined starts a statement of two tables, with a bound of two rows.
func startPipelined(t *testing.T, status byte) (*rig, *Flight) {
	t.Helper()
	r := newRig(t, pg)
	r.Session = NewSession(piped{r.conn, status}, Config{Guard: r.guard, Dialect: pg})
	b := r.backend.(*postgres)
	b.major, b.stale, r.hidden = 15, false, &hiddenCode{}
	f, err := r.Start(dbguard.Allow(atMost(2), "test", dbguard.AllRows("t")), fromTwo, Tagged)
	require.NoError(t, err)
	assert.Empty(t, r.sent(), "it is all sent with the statement")
	return r, f
}

func labels(texts []string) (all []string) {
	for _, text := range texts {
		all = append(all, label(text))
	}
	return all
}

func TestPipelined(t *testing.T) {
	counted := func(rows int64) []Reply { return []Reply{{}, {Rows: [][]any{changedRow(16400, rows, "t")}}} }
	tests := []struct {
		name          string
		before, after []Reply
		err           error
		refused       error
		sent          []string
	}{
		{"kept", []Reply{{}}, counted(2), nil, nil, []string{"COMMIT"}},
		{"too much", []Reply{{}}, counted(3), nil, dbguard.OverLimit, []string{"once", "ROLLBACK"}},
		{"an error of its own", []Reply{{}}, nil, pgError("23505"), pgError("23505"), []string{"ROLLBACK"}},
		{"an error of what was put off", []Reply{{}}, []Reply{{Err: pgError("23503")}}, nil, pgError("23503"), []string{"ROLLBACK"}},
		{"not opened", nil, nil, pgError("42601"), pgError("42601"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, f := startPipelined(t, 'I')
			before, after := f.PipelinedTexts()
			assert.Equal(t, []string{"BEGIN"}, before)
			assert.Equal(t, []string{due, "count"}, labels(after))
			f.TakeReplies(tt.before, tt.after)
			require.ErrorIs(t, f.End(atMost(2), 1, tt.err), tt.refused)
			assert.Equal(t, tt.sent, r.sent())
		})
	}
}

// An adapter that sends the statement by itself sends everything around it, too.
func TestPipelinedSentSeparately(t *testing.T) {
	r, f := startPipelined(t, 'I')
	require.NoError(t, f.SendHeld(atMost(2)))
	assert.Equal(t, []string{"BEGIN"}, r.sent())
	require.NoError(t, f.End(atMost(2), 1, nil))
	assert.Equal(t, []string{due, "count", "COMMIT"}, r.sent())

	r, f = startPipelined(t, 'I')
	r.conn.fail("BEGIN", pgError("53300"))
	require.ErrorIs(t, f.SendHeld(atMost(2)), pgError("53300"))
	_, err := r.Start(atMost(2), deleteOne, AsWritten)
	require.ErrorIs(t, err, pgError("53300"), "it holds nothing up")
}

// In an aborted transaction nothing is held back: the server reports the error.
func TestNotPipelinedInFailedTransaction(t *testing.T) {
	r := newRig(t, pg)
	r.Session = NewSession(piped{r.conn, 'E'}, Config{Guard: r.guard, Dialect: pg})
	r.backend.(*postgres).major = 15
	r.conn.fail("SAVEPOINT dbguard", pgError("25P02"))
	f, err := r.Start(dbguard.Allow(atMost(2), "test", dbguard.AllRows("t")), fromTwo, Tagged)
	require.NoError(t, err)
	before, _ := f.PipelinedTexts()
	assert.Empty(t, before)
	require.ErrorIs(t, f.End(atMost(2), -1, pgError("25P02")), pgError("25P02"))
}

// In the caller's transaction a statement starts from the counters that the one
// before it ended with, unless another has been parsed meanwhile, or something is
// locked.
func TestPipelinedReusesCounters(t *testing.T) {
	for name, tt := range map[string]struct {
		between   string
		exclusive bool
		want      int
	}{
		"one after another":       {want: 1},
		"with another between":    {between: "INSERT INTO v VALUES (1)", want: 2},
		"with a table of its own": {exclusive: true, want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, pg)
			g, err := dbguard.New(dbguard.Policy{}) // no observer asks where the rows are
			require.NoError(t, err)
			r.Session = NewSession(piped{r.conn, 'T'}, Config{Guard: g, Dialect: pg})
			b := r.backend.(*postgres)
			b.major, b.stale, r.hidden, b.pending = 15, false, &hiddenCode{}, map[int64]int64{}
			r.TxBegan(false)
			begin := func() (*Flight, []string) {
				f, err := r.Start(dbguard.Allow(atMost(2), "test", dbguard.AllRows("t")), fromTwo, Tagged)
				require.NoError(t, err)
				before, _ := f.PipelinedTexts()
				return f, before
			}
			f, before := begin()
			require.Len(t, before, 2, "a savepoint, and what was counted before")
			was := `[{"oid": 16500, "rows": 3, "exclusive": false}]`
			if tt.exclusive {
				was = `[{"oid": 16500, "rows": 3, "exclusive": true, "stamp": "7"}]`
			}
			f.TakeReplies([]Reply{{}, {Rows: [][]any{{was}}}}, []Reply{{Rows: [][]any{append(changedRow(16400, 1, "t"), int64(1))}}, {}})
			require.NoError(t, f.End(atMost(2), 1, nil))
			if tt.between != "" {
				_, err := r.read(t.Context(), tt.between)
				require.NoError(t, err)
			}
			_, before = begin()
			assert.Len(t, before, tt.want)
		})
	}
}
