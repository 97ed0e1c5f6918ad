package wire

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that answers every line with itself, and reports it.
func echo(t *testing.T) (addr string, seen chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	seen = make(chan string, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					seen <- lines.Text()
					_, _ = io.WriteString(conn, lines.Text()+"\n")
				}
			}()
		}
	}()
	return l.Addr().String(), seen
}

func dial(t *testing.T, addr string) (say func(string), answer func() (string, error)) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	reader := bufio.NewReader(conn)
	return func(s string) {
			_, err := io.WriteString(conn, s+"\n")
			require.NoError(t, err)
		}, func() (string, error) {
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(500*time.Millisecond)))
			return reader.ReadString('\n')
		}
}

func TestProxy(t *testing.T) {
	for _, c := range []struct {
		name    string
		decide  func(*Held)
		arrives bool
		answer  string
	}{
		{"pass", (*Held).Pass, true, "COMMIT\n"},
		{"silence", (*Held).PassDroppingReplies, true, ""},
		{"drop", (*Held).Drop, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr, seen := echo(t)
			p := New(t, addr)
			say, answer := dial(t, p.Addr)
			held := p.Hold("[^o]commit|^commit")
			say("autocommit")
			got, err := answer()
			require.NoError(t, err)
			assert.Equal(t, "autocommit\n", got, "what is not meant passes")
			<-seen

			say("COMMIT")
			held.Wait(t)
			assert.Empty(t, seen, "it waits")
			c.decide(held)
			got, err = answer()
			assert.Equal(t, c.answer, got)
			if c.answer == "" {
				assert.Error(t, err)
			}
			if c.arrives {
				assert.Equal(t, "COMMIT", <-seen)
			} else {
				assert.ErrorIs(t, err, io.EOF)
			}
		})
	}
}

func TestCutEndsEveryConnection(t *testing.T) {
	addr, _ := echo(t)
	p := New(t, addr)
	say, answer := dial(t, p.Addr)
	held := p.Hold("x")
	say("x")
	held.Wait(t)
	p.Cut()
	_, err := answer()
	assert.ErrorIs(t, err, io.EOF)
}
