package crash

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/internal/conformance/wire"
)

// onOwnServer runs the test on every driver, on a server that it may kill.
func onOwnServer(t *testing.T, test func(t *testing.T, s *stage.Stage, server *servers.Server)) {
	targets := map[servers.Engine][]target.Target{}
	for _, tg := range target.All() {
		if engine, ok := tg.ServerEngine(); ok {
			targets[engine] = append(targets[engine], tg)
		}
	}
	for engine, targets := range targets {
		t.Run(engine.String(), func(t *testing.T) {
			server := servers.Start(t, engine)
			for _, tg := range targets {
				t.Run(tg.String(), func(t *testing.T) {
					s := stage.On(t, tg.DatabaseOn(t, server))
					s.Bare.SetMaxIdleConns(-1) // none that died with the server
					test(t, s, server)
				})
			}
		})
	}
}

// The server dies when the statement has run and its COMMIT is on the way: the caller is
// told that the outcome is unknown, and the statement is not retried.
func TestServerKilledAtCommit(t *testing.T) {
	for name, arrives := range map[string]bool{"before": false, "after": true} {
		for script, kept := range done {
			t.Run(name+"/"+script, func(t *testing.T) {
				onOwnServer(t, func(t *testing.T, s *stage.Stage, server *servers.Server) {
					want := stage.Untouched
					if arrives {
						want = kept
					}
					err := serverKilledAtCommit(t, s, server, script, arrives)
					requireUnknownEffect(t, s, err)
					server.Restart(t)
					assert.Equal(t, want, s.Item(t))
				})
			})
		}
	}
}

func serverKilledAtCommit(t *testing.T, s *stage.Stage, server *servers.Server, script string, arrives bool) error {
	proxy := wire.New(t, server.Addr())
	db := s.Open(t, s.Via(proxy.Addr))
	defer db.Close()
	held := proxy.Hold(commitPattern(s, script))
	result := make(chan error)
	go func() { result <- scripts[script](dbguard.AtMost(t.Context(), 10), db) }()
	held.Wait(t)
	if arrives {
		held.PassDroppingReplies()
		assert.Eventually(t, func() bool { return s.Item(t) == done[script] }, 10*time.Second, 10*time.Millisecond)
	}
	server.Kill(t)
	held.Drop()
	select {
	case err := <-result:
		return err
	case <-time.After(20 * time.Second):
		require.FailNow(t, "the caller waits for a dead server")
		return nil
	}
}

// requireUnknownEffect asserts that the error and the trace say that the outcome is unknown.
func requireUnknownEffect(t *testing.T, s *stage.Stage, err error) {
	t.Helper()
	var v *dbguard.Violation
	require.ErrorAs(t, err, &v)
	assert.Equal(t, dbguard.EffectUnknown, v.Effect, v)
	assert.ErrorIs(t, err, dbguard.Unconfirmed)
	assert.NotErrorIs(t, err, dbguard.ErrRefused, "it was not refused")
	assert.NotErrorIs(t, err, driver.ErrBadConn, "database/sql would run it again")
	events := s.Rec.Events()
	require.NotEmpty(t, events)
	last := events[len(events)-1]
	assert.Equal(t, dbguard.EffectUnknown, last.Effect)
	assert.Equal(t, dbguard.OutcomeUnknown, last.Outcome)
}

// The server dies while the statement runs: nothing is committed, unless the statement is
// one message with its COMMIT.
func TestServerKilledDuringTheStatement(t *testing.T) {
	for script := range done {
		t.Run(script, func(t *testing.T) {
			onOwnServer(t, func(t *testing.T, s *stage.Stage, server *servers.Server) {
				proxy := wire.New(t, server.Addr())
				db := s.Open(t, s.Via(proxy.Addr))
				defer db.Close()
				held := proxy.Hold(deletionPattern(s, script))
				result := make(chan error)
				go func() { result <- scripts[script](dbguard.AtMost(t.Context(), 10), db) }()
				held.Wait(t)
				held.PassDroppingReplies()
				time.Sleep(50 * time.Millisecond) // it has run by now, very likely
				server.Kill(t)
				err := <-result
				require.Error(t, err)
				assert.NotErrorIs(t, err, driver.ErrBadConn)
				if v, ok := errors.AsType[*dbguard.Violation](err); ok {
					assert.NotEqual(t, dbguard.EffectApplied, v.Effect, v)
				}
				server.Restart(t)
				if commitsInOneMessage(script) {
					assert.Contains(t, []string{stage.Untouched, done[script]}, s.Item(t))
					requireUnknownEffect(t, s, err)
					return
				}
				assert.Equal(t, stage.Untouched, s.Item(t))
			})
		})
	}
}

// The connection breaks, the server lives: database/sql retries what it thinks has not
// run. A change must not be made twice, and success not be reported for none.
func TestNothingRunsTwice(t *testing.T) {
	const text = "UPDATE item SET v = v + 1 WHERE id = 1"
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, way := range []struct {
			name    string
			bounded context.Context
			moments []string
		}{
			{"one message", dbguard.AtMost(t.Context(), 1), []string{"update item"}}, // begins and commits by itself
			{"three", dbguard.Budget(t.Context(), 100), []string{"begin|start transaction", "update item", commit}},
		} {
			for i, at := range way.moments {
				for name, cut := range map[string]func(*wire.Held){"before": (*wire.Held).Drop, "after": (*wire.Held).PassDroppingReplies} {
					t.Run(way.name+", "+name+" "+at, func(t *testing.T) {
						s.Exec(t, "UPDATE item SET v = 0")
						proxy := wire.New(t, s.Server().Addr())
						db := s.Open(t, s.Via(proxy.Addr))
						defer db.Close()
						require.NoError(t, db.PingContext(t.Context()))
						held := proxy.Hold(at)
						result := make(chan error)
						go func() {
							_, err := db.ExecContext(way.bounded, text)
							result <- err
						}()
						held.Wait(t)
						cut(held)
						time.Sleep(50 * time.Millisecond)
						proxy.Cut()
						judgeRetry(t, s, i == len(way.moments)-1, <-result)
					})
				}
			}
		}
	}, target.Postgres, target.MariaDB)
}

func judgeRetry(t *testing.T, s *stage.Stage, atLast bool, err error) {
	t.Helper()
	s.Exec(t, "UPDATE item SET v = v") // waits for a transaction that the server has not ended yet
	v := s.Int(t, "SELECT v FROM item WHERE id = 1")
	switch {
	case atLast:
		assert.LessOrEqual(t, v, 1, "it ran twice")
		requireUnknownEffect(t, s, err)
	case err == nil:
		assert.Equal(t, 1, v, "success is claimed")
	case errors.Is(err, dbguard.Unconfirmed): // where the machine is busy, the second try may be cut, too
		assert.LessOrEqual(t, v, 1, "it ran twice")
	default:
		assert.NotErrorIs(t, err, driver.ErrBadConn)
		assert.Zero(t, v, "it was never committed: %v", err)
	}
}
