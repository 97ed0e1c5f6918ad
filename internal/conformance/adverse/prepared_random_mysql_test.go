package adverse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// Random texts with random arguments, repeated until a session has learned them, do to a
// table what they do to another one without a guard, or are over their bound.

var (
	randomTables = []string{
		"(id INT PRIMARY KEY AUTO_INCREMENT, n INT DEFAULT 0, s VARCHAR(10), at TIMESTAMP NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP)",
		"(id INT PRIMARY KEY, n INT UNIQUE, s VARCHAR(10) CHARACTER SET latin1, g INT AS (n * 2) STORED)",
		"(id BIGINT UNSIGNED, n DECIMAL(6, 2) NOT NULL DEFAULT 1, s CHAR(5), KEY (id), KEY (n))",
		"(id INT, n DOUBLE, s VARCHAR(10) DEFAULT 'b', PRIMARY KEY (id)) PARTITION BY HASH (id) PARTITIONS 3",
	}
	randomTexts = []string{
		"INSERT INTO t (n, s) VALUES (?, ?)",
		"INSERT INTO t (id, n, s) VALUES (?, ?, ?)",
		"INSERT INTO t (id, n) VALUES (?, ?), (? + 5, ?)",
		"INSERT INTO t SET id = ?, s = ?",
		"UPDATE t SET n = ? WHERE id = ?",
		"UPDATE t SET n = n + ? WHERE id < ?",
		"UPDATE t SET s = ? WHERE n = ? OR s = ?",
		"UPDATE t SET n = ?, s = CONCAT(s, ?) WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 2",
		"UPDATE t SET id = id + ? WHERE id = ?",
		"UPDATE t SET s = NULL WHERE id IN (?, ?, ?)",
		"UPDATE t AS x SET x.n = x.id * ? WHERE x.s LIKE ? -- some",
		"DELETE FROM t WHERE id = ?",
		"DELETE FROM t WHERE n < ? ORDER BY id LIMIT 3",
		"DELETE FROM t WHERE s = ? AND id > ?",
	}
	randomArgs = []any{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -1, "a", "A ", "b", "3", "x%", "it's", `\`, "too long for this", 1.5, 2.5, nil, true}
)

// A twin runs the same on a guarded and on a bare table.
type twin struct {
	*fixture
	rnd    *rand.Rand
	table  string
	bare   *sql.DB // in a database of its own
	c      *sql.Conn
	counts map[string]int
}

func TestLearnedTextsLikeBare(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		long, _ := time.ParseDuration(os.Getenv("DBGUARD_SOAK"))
		w := &twin{fixture: f, bare: newFixture(t, f.Target).bare, c: f.conn(t), counts: map[string]int{}}
		w.bare.SetMaxOpenConns(1)
		for phase, begin := uint64(0), time.Now(); phase < 6 || time.Since(begin) < long; phase++ {
			seed := phase
			if long > 0 {
				seed = rand.Uint64()
			}
			w.rnd = rand.New(rand.NewPCG(seed, 0))
			if !t.Run(fmt.Sprint(seed), w.phase) {
				break
			}
		}
		t.Log(w.counts)
		assert.Positive(t, w.counts["refused"])
		assert.Positive(t, w.counts["failed"])
	})
}

// phase runs a few texts many times.
func (w *twin) phase(t *testing.T) {
	w.table = randomTables[w.rnd.IntN(len(randomTables))]
	for _, db := range []*sql.DB{w.fixture.bare, w.bare} {
		for _, text := range []string{"DROP TABLE IF EXISTS t", "CREATE TABLE t " + w.table, "INSERT INTO t (id, n, s) VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'a'), (4, 4, 'b')", "SET timestamp = 1000000000"} {
			_, err := db.ExecContext(t.Context(), text)
			require.NoError(t, err, text)
		}
	}
	exec(t, w.c, "SET timestamp = 1000000000")
	texts := make([]string, 4)
	for i := range texts {
		texts[i] = randomTexts[w.rnd.IntN(len(randomTexts))]
	}
	for i := range 40 {
		w.episode(t, texts)
		if i%10 == 9 {
			time.Sleep(30 * time.Millisecond)
		}
	}
}

// episode is some statements, in a transaction or not.
func (w *twin) episode(t *testing.T, texts []string) {
	bare, err := w.bare.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	var guarded interface {
		execQuerier
		Rollback() error
	}
	commit := func() error { return nil }
	if w.rnd.IntN(2) == 0 {
		tx, err := w.c.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		guarded, commit = tx, tx.Commit
	}
	did := ""
	for range 1 + w.rnd.IntN(6) {
		text := texts[w.rnd.IntN(len(texts))]
		args := make([]any, strings.Count(text, "?"))
		for i := range args {
			args[i] = randomArgs[w.rnd.IntN(len(randomArgs))]
		}
		on := execQuerier(w.c)
		if guarded != nil {
			on = guarded
		}
		if w.rnd.IntN(3) == 0 {
			text, args = target.WithLiterals(text, args), nil
		}
		did += fmt.Sprintf("%s %v\n", text, args)
		w.compare(t, on, bare, text, args, did)
	}
	if guarded != nil && w.rnd.IntN(3) == 0 {
		require.NoError(t, errors.Join(guarded.Rollback(), bare.Rollback()))
	} else {
		require.NoError(t, errors.Join(commit(), bare.Commit()))
	}
	require.Equal(t, w.rows(t, w.bare), w.rows(t, w.fixture.bare), "%s\n%s", w.table, did)
}

// compare runs a text on both.
func (w *twin) compare(t *testing.T, guarded execQuerier, bare *sql.Tx, text string, args []any, did string) {
	t.Helper()
	bound := int64(w.rnd.IntN(4))
	_, err := bare.ExecContext(t.Context(), "SAVEPOINT s")
	require.NoError(t, err)
	want, bareErr := bare.ExecContext(t.Context(), text, args...)
	got, err := guarded.ExecContext(dbguard.AtMost(t.Context(), bound), text, args...)
	changed := int64(0)
	if bareErr == nil && !strings.HasPrefix(text, "INSERT") {
		changed, _ = want.RowsAffected()
	}
	switch {
	case errors.Is(err, dbguard.OverLimit) && (changed > bound || bareErr != nil):
		w.counts["refused"]++
		_, err = bare.ExecContext(t.Context(), "ROLLBACK TO s")
		require.NoError(t, err)
	case errors.Is(err, dbguard.OverLimit) && w.Engine == target.MySQL && strings.Contains(err.Error(), "foreign key") && strings.HasPrefix(text, "UPDATE"):
		w.counts["over-counted"]++ // in a transaction, rows that it finds and leaves as they are, if their columns are indexed
		_, err = bare.ExecContext(t.Context(), "ROLLBACK TO s")
		require.NoError(t, err)
	case numberOf(bareErr) == 1292 && err == nil: // a text that is no number, where no row can match: how it is converted depends on the types of others
		assert.Equal(t, "0 0 <nil> <nil>", resultOf(got))
	case bareErr != nil:
		w.counts["failed"]++
		assert.Equal(t, numberOf(bareErr), numberOf(err), "%s\n%s: %v, %v", w.table, did, bareErr, err)
	default:
		w.counts["done"]++
		require.NoError(t, err, "%s\n%swithin %d: %d", w.table, did, bound, changed)
		require.LessOrEqual(t, changed, bound, "%s\n%s", w.table, did)
		assert.Equal(t, resultOf(want), resultOf(got), "%s\n%s", w.table, did)
	}
}

func numberOf(err error) uint16 {
	if my, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return my.Number
	}
	return 0
}

func resultOf(res sql.Result) string {
	n, err := res.RowsAffected()
	id, idErr := res.LastInsertId()
	return fmt.Sprint(n, id, err, idErr)
}

func (w *twin) rows(t *testing.T, db *sql.DB) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(context.WithoutCancel(t.Context()), "SELECT CONCAT_WS('|', id, n, COALESCE(s, 'NULL'), HEX(s)) AS x FROM t ORDER BY x")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var row string
		require.NoError(t, rows.Scan(&row))
		all = append(all, row)
	}
	return all
}
