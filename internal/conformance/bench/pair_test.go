package bench

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/network"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// A pair is a bare and a guarded handle, each on a database of its own with the same
// rows. They take turns in one loop, so that other load on the machine affects both.
type pair struct {
	direct, guarded *handle
}

// A handle is one side of a pair.
type handle struct {
	*sql.DB
	d *target.Database
	p *network.Proxy // nil without
}

// A place is where the server is.
type place struct {
	name string
	trip time.Duration // 0: no proxy
}

var (
	loopback = place{"loopback", 0}
	oneMilli = place{"1 ms", time.Millisecond}
	durable  = place{"durable", 0}
	fast     = place{"not durable", 0}
)

// places are where a target is measured. SQLite has no network, but a disk.
func places(tg target.Target) []place {
	if tg.Engine == target.SQLite {
		return []place{durable, fast}
	}
	return []place{loopback, oneMilli}
}

func newPair(b *testing.B, tg target.Target, at place) pair {
	b.Helper()
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(b, err)
	return pair{newHandle(b, tg, at, nil), newHandle(b, tg, at, g)}
}

func newHandle(b *testing.B, tg target.Target, at place, g *dbguard.Guard) *handle {
	b.Helper()
	h := &handle{d: tg.Database(b)}
	dsn := h.d.DSN
	switch {
	case tg.Engine.InMySQLFamily():
		dsn += "&interpolateParams=true" // one trip bare, and not prepare, execute, close
	case at == durable:
		dsn = strings.NewReplacer("synchronous(0)", "synchronous(2)", "_synchronous=0", "_synchronous=2").Replace(dsn)
	}
	if at.trip > 0 {
		h.p, dsn = network.Through(b, dsn, at.trip)
	}
	var err error
	bare := h.d.Bare(b)
	defer bare.Close()
	require.NoError(b, bare.PingContext(b.Context())) // makes an SQLite file
	if g == nil {
		h.DB, err = sql.Open(tg.Driver, dsn)
	} else {
		h.DB, err = sqlguard.Open(tg.Driver, dsn, g)
	}
	require.NoError(b, err)
	h.SetMaxOpenConns(1)
	b.Cleanup(func() { require.NoError(b, h.Close()) })
	return h
}

// setUp runs the texts bare, on both databases.
func (p pair) setUp(b *testing.B, texts ...string) {
	b.Helper()
	p.direct.setUp(b, texts...)
	p.guarded.setUp(b, texts...)
}

func (h *handle) setUp(b *testing.B, texts ...string) {
	b.Helper()
	bare := h.d.Bare(b)
	defer bare.Close()
	for _, text := range texts {
		_, err := bare.ExecContext(b.Context(), text)
		require.NoError(b, err, text)
	}
}

// fill creates a table of n rows: two numbers and a short text.
func fill(e target.Engine, table string, n int) []string {
	numbers := target.Of(map[target.Engine]string{
		target.SQLite:   "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d) SELECT i, 0, 'some text that a row has' FROM s",
		target.Postgres: "SELECT i, 0, 'some text that a row has' FROM generate_series(1, %d) i",
		target.MariaDB:  "SELECT i, 0, 'some text that a row has' FROM " + digits(n) + " WHERE i <= %d",
	}, e)
	if e == target.SQLite {
		numbers = "SELECT * FROM (" + numbers + ") WHERE true"
	}
	return []string{
		"DROP TABLE IF EXISTS " + table,
		"CREATE TABLE " + table + " (id INT PRIMARY KEY, n INT NOT NULL, s VARCHAR(250))",
		"INSERT INTO " + table + " " + fmt.Sprintf(numbers, n),
	}
}

// digits is a subquery of the numbers from 1 to the next power of ten. It takes neither
// the sequences of MariaDB nor a recursion deeper than MySQL and MariaDB allow.
func digits(n int) string {
	const digit = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5" +
		" UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
	sum, from := "1", ""
	for i, weight := 0, 1; weight < n; i, weight = i+1, weight*10 {
		sum += fmt.Sprintf(" + %d * d%d.d", weight, i)
		from += fmt.Sprintf(", %s d%d", digit, i)
	}
	return "(SELECT " + sum + " AS i FROM " + strings.TrimPrefix(from, ", ") + ") numbers"
}

// timings are the times and round trips of one side.
type timings struct {
	times []time.Duration
	trips int64
}

// measure times one piece of work.
func (t *timings) measure(p *network.Proxy, work func() error) error {
	before := int64(0)
	if p != nil {
		before = p.Trips()
	}
	begin := time.Now()
	err := work()
	t.times = append(t.times, time.Since(begin))
	if p != nil {
		t.trips += p.Trips() - before
	}
	return err
}

// median is less sensitive than a mean to other load on the machine.
func (t *timings) median() time.Duration {
	slices.Sort(t.times)
	return t.times[len(t.times)/2]
}

// alternate does the work on both handles, one after the other, and reports medians.
func (p pair) alternate(b *testing.B, work func(ctx context.Context, h *handle, i int) error) {
	b.Helper()
	alternate(b, p.direct, p.guarded, work)
}

func (h *handle) proxy() *network.Proxy { return h.p }

// warmUp is how long a connection takes to cache and prepare what it needs once.
const warmUp = 250 * time.Millisecond

func alternate[E interface{ proxy() *network.Proxy }](b *testing.B, direct, guarded E, work func(ctx context.Context, e E, i int) error) {
	b.Helper()
	ctx := dbguard.AtMost(b.Context(), 1)
	var bare, judged timings
	i := 0
	for begin := time.Now(); i < 10 || i < 2000 && time.Since(begin) < warmUp; i++ {
		require.NoError(b, work(ctx, direct, i))
		require.NoError(b, work(ctx, guarded, i))
	}
	for b.Loop() {
		require.NoError(b, bare.measure(direct.proxy(), func() error { return work(ctx, direct, i) }))
		require.NoError(b, judged.measure(guarded.proxy(), func() error { return work(ctx, guarded, i) }))
		i++
	}
	report(b, &bare, &judged)
	if direct.proxy() != nil {
		b.ReportMetric(float64(bare.trips)/float64(b.N), "direct-trips/op")
		b.ReportMetric(float64(judged.trips)/float64(b.N), "guarded-trips/op")
	}
}

func report(b *testing.B, direct, guarded *timings) {
	b.ReportMetric(0, "ns/op") // of both together, which says nothing
	b.ReportMetric(float64(direct.median().Nanoseconds()), "direct-ns/op")
	b.ReportMetric(float64(guarded.median().Nanoseconds()), "guarded-ns/op")
	b.ReportMetric(float64(guarded.median())/float64(direct.median()), "ratio")
}
