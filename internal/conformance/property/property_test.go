package property

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// The environment of a long run.
const (
	soakEnv = "DBGUARD_SOAK" // how long, per target: "10m"
	seedEnv = "DBGUARD_SEED" // the first seed
)

// short is the number of cases per target in a normal run of the tests.
func short(tg target.Target) int {
	switch tg.Driver {
	case "sqlite3":
		return 400
	case "sqlite": // in Go, and slow under the race detector
		return 200
	}
	return 150
}

func firstSeed(t *testing.T, otherwise uint64) uint64 {
	text := os.Getenv(seedEnv)
	if text == "" {
		return otherwise
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, seedEnv)
	return seed
}

// With DBGUARD_SEED, a run begins with the seed of a failure.
func TestEveryCaseKeepsThePromise(t *testing.T) {
	for n, tg := range target.All() {
		t.Run(tg.String(), func(t *testing.T) {
			t.Parallel()
			first := firstSeed(t, uint64(n)*1_000_000) // no two drivers see the same cases
			r := newPair(t, tg).search(t.Context(), first, func(n int) bool { return n < short(tg) })
			r.check(t)
		})
	}
}

func TestSoak(t *testing.T) {
	text := os.Getenv(soakEnv)
	if text == "" {
		t.Skipf("%s is not set", soakEnv)
	}
	long, err := time.ParseDuration(text)
	require.NoError(t, err, soakEnv)
	first := firstSeed(t, uint64(time.Now().UnixNano()))
	for n, tg := range target.All() {
		t.Run(tg.String(), func(t *testing.T) {
			t.Parallel()
			first := first + uint64(n)*1_000_000_000
			t.Logf("from seed %d", first)
			end := time.Now().Add(long)
			r := newPair(t, tg).search(t.Context(), first, func(int) bool { return time.Now().Before(end) })
			r.check(t)
		})
	}
}

func (r *report) check(t *testing.T) {
	t.Helper()
	t.Log(r)
	if r.invalid > 0 {
		t.Logf("the first invalid: %s", r.firstInvalid)
	}
	for _, text := range r.unexplained {
		t.Errorf("%s", text)
	}
	// A generator of mostly invalid cases would prove nothing.
	assert.LessOrEqual(t, r.invalid*50, r.cases, "too many cases are invalid")
	assert.LessOrEqual(t, r.again*50, r.cases, "too many transactions are to be run again")
	assert.GreaterOrEqual(t, r.passed*5, r.cases*2, "too few statements pass")
}

// A gap that has been closed must go from the list: it would hide a regression.
func TestGapsAreOpen(t *testing.T) {
	for _, tg := range target.All() {
		t.Run(tg.String(), func(t *testing.T) {
			p := newPair(t, tg)
			for _, g := range gaps {
				if !g.holds(tg) {
					continue
				}
				t.Run(g.name, func(t *testing.T) {
					c := g.example
					c.Engine = tg.Engine
					c.Setup = inDialect(tg.Engine, c.Setup)
					v := p.check(t.Context(), &c)
					require.NotEqual(t, invalid, v.Failing, v.Why)
					assert.Equal(t, g.failing, v.Failing, "the gap is closed: take it off the list")
				})
			}
		})
	}
}

// inDialect translates the examples from MariaDB's dialect.
func inDialect(e target.Engine, setup []string) (out []string) {
	for _, text := range setup {
		switch {
		case e == target.Postgres && strings.Contains(text, "BEGIN DELETE FROM log; END"):
			out = append(out, "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM log; RETURN NULL; END $$",
				"CREATE TRIGGER trg AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()")
		case e == target.Postgres:
			out = append(out, strings.ReplaceAll(text, "MODIFIES SQL DATA BEGIN DELETE FROM t; RETURN 1; END",
				"LANGUAGE plpgsql AS $$ BEGIN DELETE FROM t; RETURN 1; END $$"))
		default:
			out = append(out, text)
		}
	}
	return out
}

func TestCasesAreTheSameForASeed(t *testing.T) {
	for _, e := range target.Engines {
		for seed := range uint64(200) {
			assert.Equal(t, newCase(seed, e).String(), newCase(seed, e).String())
		}
	}
}
