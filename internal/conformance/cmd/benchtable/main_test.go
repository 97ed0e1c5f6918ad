package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const output = `withservers: postgres at postgres://h/postgres: PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64
withservers: postgres at postgres://h/postgres: PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64
goos: linux
cpu: AMD EPYC
BenchmarkOneRow/postgres15_pgx/1_ms/DELETE/autocommit,_prepared-2   	 60	 2311932 direct-ns/op	 1.000 direct-trips/op	 9255509 guarded-ns/op	 4.000 guarded-trips/op	 4.003 ratio
BenchmarkRunaway/sqlite_mattn/all_rows-2 	 1	 1000000 direct-ns/op	 10000 guarded-ns/op	 0.01000 ratio
BenchmarkRead/short/guarded-2 	 1000000	 612.5 ns/op	 304 B/op	 6 allocs/op
PASS
`

func TestPage(t *testing.T) {
	r, err := read(strings.NewReader(output))
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, r.write(&b, "(2 cores)"))
	for _, line := range []string{
		"AMD EPYC (2 cores), PostgreSQL 15.18.\n",
		"\n| postgres15 pgx | 1 ms | DELETE | autocommit, prepared | 2.31ms | 9.26ms | **4.00** | 1.0 | 4.0 |\n",
		"\n| sqlite mattn | all rows | 1ms | 10µs | **100.0** |  |  |  |  |\n",
		"\n| Read short | guarded | 612ns | 304 | 6 |\n",
	} {
		assert.Contains(t, b.String(), line)
	}
	assert.NotContains(t, b.String(), "## Longer work", "a table without rows")
}

func TestInputWithoutResults(t *testing.T) {
	_, err := read(strings.NewReader("PASS\n"))
	require.Error(t, err)
	_, err = read(strings.NewReader(output + "    --- FAIL: BenchmarkBulk\n"))
	require.Error(t, err)
}
