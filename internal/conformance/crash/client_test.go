package crash

import (
	"bufio"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/internal/conformance/wire"
)

// done is what the scripts leave if they get to their end.
var done = map[string]string{
	"autocommit":  "40 rows, sum 0",
	"transaction": "40 rows, sum 10",
}

// A client dies when its statement has run and before its COMMIT arrives: the server
// forgets the statement. If the COMMIT has arrived, the server keeps all of it.
func TestClientKilledAtCommit(t *testing.T) {
	for name, arrives := range map[string]bool{"before": false, "after": true} {
		for script, kept := range done {
			t.Run(name+"/"+script, func(t *testing.T) {
				stage.Each(t, func(t *testing.T, s *stage.Stage) {
					want := stage.Untouched
					if arrives {
						want = kept
					}
					killAtCommit(t, s, script, arrives)
					assert.Eventually(t, func() bool { return s.Item(t) == want }, 10*time.Second, 10*time.Millisecond, "want %s, is %s", want, s.Item(t))
					s.Exec(t, "UPDATE item SET v = 0") // nobody holds a lock any more
				}, target.Postgres, target.MariaDB, target.MySQL)
			})
		}
	}
}

func killAtCommit(t *testing.T, s *stage.Stage, script string, arrives bool) {
	proxy := wire.New(t, s.Server().Addr())
	held := proxy.Hold(commitPattern(s, script))
	cmd := start(t, script, s.Driver, s.Via(proxy.Addr))
	require.NoError(t, cmd.Start())
	held.Wait(t)
	assert.Equal(t, stage.Untouched, s.Item(t), "nothing is committed before COMMIT")
	if arrives {
		held.PassDroppingReplies()
		assert.Eventually(t, func() bool { return s.Item(t) == done[script] }, 10*time.Second, 10*time.Millisecond)
	}
	kill(t, cmd)
	proxy.Cut()
}

// A client dies at any moment: each group of rows that one statement changes is as before
// or as after, and no change over the bound shows.
func TestClientKilledAtAnyMoment(t *testing.T) {
	const kills, most = 6, 100 // a busy machine may give a client no time to do anything
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		rng := rand.New(rand.NewPCG(1, 2))
		changed := 0
		for i := 0; i < kills || changed == 0 && i < most; i++ {
			cmd := start(t, "loop", s.Driver, s.DSN)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			_, err = bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			time.Sleep(time.Duration(rng.IntN(60_000)) * time.Microsecond)
			kill(t, cmd)

			s.Exec(t, "UPDATE item SET v = v") // waits for the server to notice
			torn := s.Int(t, "SELECT count(*) FROM (SELECT (id - 1) / 10 AS g FROM item GROUP BY (id - 1) / 10 HAVING min(v) <> max(v)) x")
			if s.Engine.InMySQLFamily() { // whose division is not the integers'
				torn = s.Int(t, "SELECT count(*) FROM (SELECT (id - 1) DIV 10 AS g FROM item GROUP BY g HAVING min(v) <> max(v)) x")
			}
			assert.Zero(t, torn, "groups that are half changed")
			assert.Equal(t, stage.Rows, s.Int(t, "SELECT count(*) FROM item"))
			changed = s.Int(t, "SELECT max(v) FROM item")
		}
		assert.Positive(t, changed, "something has been done at all")
	})
}
