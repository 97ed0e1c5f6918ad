package adverse

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/network"
)

// plainInserts must end as they do without a guard; why says what could differ.
var plainInserts = []struct {
	why  string
	text string
	args []any
}{
	{"the server makes the id", "INSERT INTO made (k) VALUES (?)", []any{"a"}},
	{"no arguments", "INSERT INTO made (k) VALUES ('b')", nil},
	{"a second one makes its own", "INSERT INTO made (k) VALUES (?)", []any{"c"}},
	{"several rows have the id of the first", "INSERT INTO made (k) VALUES (?), (?), ('f')", []any{"d", "e"}},
	{"the id is given", "INSERT INTO made VALUES (?, ?)", []any{100, "g"}},
	{"NULL makes an id", "INSERT INTO made VALUES (?, ?)", []any{nil, "h"}},
	{"some ids are given", "INSERT INTO made VALUES (NULL, 'i'), (500, 'j')", nil},
	{"a key is taken", "INSERT INTO made (k) VALUES (?)", []any{"a"}},
	{"a table without ids of the server's", "INSERT INTO t VALUES (?, ?)", []any{50, 1}},
	{"after one with ids", "INSERT INTO made (k) VALUES (?)", []any{"k"}},
	{"a quote", "INSERT INTO made (k) VALUES (?)", []any{"O'Brien"}},
	{"an escape", "INSERT INTO made (k) VALUES (?)", []any{`\'--`}},
	{"letters of others", "INSERT INTO made (k) VALUES (?)", []any{"日本語"}},
	{"a time", "INSERT INTO kinds (s, at) VALUES (?, ?)", []any{moment, moment}},
	{"midnight", "INSERT INTO kinds (s, at) VALUES (?, ?)", []any{moment.Truncate(24 * time.Hour), moment.Truncate(24 * time.Hour)}},
	{"midnight elsewhere", "INSERT INTO kinds (s) VALUES (?)", []any{time.Date(2020, 2, 3, 0, 0, 0, 0, time.FixedZone("", 3600))}},
	{"no time", "INSERT INTO kinds (s) VALUES (?)", []any{time.Time{}}},
	{"a time out of range", "INSERT INTO kinds (s) VALUES (?)", []any{moment.AddDate(8000, 0, 0)}},
	{"IGNORE", "INSERT IGNORE INTO made (k) VALUES (?), ('l')", []any{"a"}},
	{"a query", "INSERT INTO made (k) SELECT CONCAT('m', id) FROM t WHERE id < ?", []any{4}},
	{"a window function", "INSERT INTO made (k) SELECT CONCAT('w', ROW_NUMBER() OVER (ORDER BY id)) FROM t", nil},
	{"a window function, and a trigger that only adds", "INSERT INTO logged SELECT COUNT(*) OVER w FROM t WINDOW w AS ()", nil},
	{"SET", "INSERT INTO made SET k = ?", []any{"n"}},
	{"an expression with the last id", "INSERT INTO made (k) VALUES (CONCAT('o', LAST_INSERT_ID()))", nil},
	{"by its other name", "INSERT INTO kinds (u) VALUES (@@identity)", nil},
	{"too long for its column", "INSERT INTO made (k) VALUES (REPEAT('x', 99))", nil},
	{"no such table", "INSERT INTO mysql.missing VALUES (1)", nil},
	{"no such column", "INSERT INTO t (missing) VALUES (1)", nil},
	{"a table that cannot be undone", "INSERT INTO plain VALUES (?)", []any{1}},
	{"of a query, too", "INSERT INTO plain SELECT 2", nil},
	{"a view", "INSERT INTO seen (k) VALUES (?)", []any{"p"}},
	{"a trigger that only adds", "INSERT INTO logged VALUES (?)", []any{1}},
	{"bytes", "INSERT INTO kinds (b, s) VALUES (?, ?)", []any{[]byte{0xff, 0xfe, 'x', 0x80}, []byte("日本")}},
	{"bytes that are text", "INSERT INTO kinds (b, s) VALUES (?, ?)", []any{[]byte(`{"a": "b's"}`), []byte{}}},
	{"numbers", "INSERT INTO kinds (u, d, f) VALUES (?, ?, ?)", []any{uint64(1) << 63, -12.5, 1e-300}},
	{"numbers as text", "INSERT INTO kinds (u, d, f) VALUES (?, ?, ?)", []any{"7", "0.1", "0.1"}},
	{"truth and nothing", "INSERT INTO kinds (u, d, s) VALUES (?, ?, ?)", []any{true, nil, false}},
	{"what is no text in its character set", "INSERT INTO kinds (s) VALUES (?)", []any{"\xff\xfe"}},
	{"a trigger of other events", "INSERT INTO guarded VALUES (?)", []any{1}},
}

var moment = time.Date(2020, 2, 3, 4, 5, 6, 123456780, time.UTC)

var insertTables = []string{
	"CREATE TABLE made (id INT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(20) UNIQUE) CHARACTER SET utf8mb4",
	"CREATE TABLE plain (id INT) ENGINE = MyISAM",
	"CREATE VIEW seen AS SELECT * FROM made",
	"CREATE TABLE kinds (u BIGINT UNSIGNED, d DECIMAL(20, 6), f DOUBLE, s TEXT, b BLOB, at DATETIME(6)) CHARACTER SET utf8mb4",
	"CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY)",
	"CREATE TABLE logged (id INT)",
	"CREATE TRIGGER logs AFTER INSERT ON logged FOR EACH ROW INSERT INTO log VALUES ()",
	"CREATE TABLE guarded (id INT)",
	"CREATE TRIGGER guards BEFORE DELETE ON guarded FOR EACH ROW DELETE FROM t",
}

var databaseName = regexp.MustCompile(`dbguard_test_\d+_\d+`)

// insertOutcome is what a caller sees of an INSERT, and of the session afterwards.
func insertOutcome(ctx context.Context, t *testing.T, db execQuerier, text string, args []any) string {
	t.Helper()
	said := ""
	if res, err := db.ExecContext(ctx, text, args...); err != nil {
		said = databaseName.ReplaceAllString(err.Error(), "here")
	} else {
		id, err := res.LastInsertId()
		require.NoError(t, err)
		n, err := res.RowsAffected()
		require.NoError(t, err)
		said = fmt.Sprintf("id %d, %d rows", id, n)
	}
	var last, rows int64
	require.NoError(t, db.QueryRowContext(ctx, "SELECT LAST_INSERT_ID(), (SELECT COUNT(*) FROM made)").Scan(&last, &rows))
	return fmt.Sprintf("%s; last id %d, %d made", said, last, rows)
}

// tableContents is what the tables hold.
func tableContents(t *testing.T, db execQuerier) (made, kinds sql.NullString) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT (SELECT GROUP_CONCAT(id, HEX(k) ORDER BY id) FROM made),"+
		" (SELECT GROUP_CONCAT(CONCAT_WS(' ', u, d, f, HEX(s), HEX(b), at)) FROM kinds)").Scan(&made, &kinds))
	return made, kinds
}

type execQuerier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func TestInsertsBehaveAsBare(t *testing.T) {
	for _, way := range []string{"autocommit", "in a transaction"} {
		t.Run(way, func(t *testing.T) {
			each(t, onMySQL, func(t *testing.T, f *fixture) {
				bare := newFixture(t, f.Target)
				bare.execBare(t, insertTables...)
				f.execBare(t, insertTables...)
				conns := []*sql.Conn{f.conn(t), (&fixture{db: bare.bare}).conn(t)}
				ends := []execQuerier{conns[0], conns[1]}
				if way != "autocommit" {
					for i, c := range conns {
						tx, err := c.BeginTx(t.Context(), nil)
						require.NoError(t, err)
						defer tx.Rollback()
						ends[i] = tx
					}
				}
				for round := range 2 { // the second with what is cached
					for _, a := range plainInserts {
						want := insertOutcome(t.Context(), t, ends[1], a.text, a.args)
						assert.Equal(t, want, insertOutcome(t.Context(), t, ends[0], a.text, a.args), "%s, round %d: %s", a.why, round, a.text)
						wantMade, wantKinds := tableContents(t, ends[1])
						made, kinds := tableContents(t, ends[0])
						assert.Equal(t, wantMade.String+wantKinds.String, made.String+kinds.String, a.why)
					}
				}
			})
		})
	}
}

func TestInsertsThatChangeRows(t *testing.T) {
	texts := []struct {
		name, text string
		args       []any
	}{
		{"by text", "INSERT INTO t VALUES (20, 0)", nil},
		{"with arguments", "INSERT INTO t VALUES (?, ?)", []any{20, 0}},
		{"of a query", "INSERT INTO t SELECT 20, 0", nil},
		{"of a view that calls a function", "INSERT INTO item SELECT 20, f FROM view_of_f", nil},
		{"through a view", "INSERT INTO view_of_t VALUES (20, 0)", nil},
		{"REPLACE that adds", "REPLACE INTO t VALUES (20, 0)", nil},
	}
	for _, tt := range texts {
		t.Run(tt.name, func(t *testing.T) {
			each(t, onMySQL, func(t *testing.T, f *fixture) {
				f.execBare(t, "CREATE TABLE item (id INT, n INT)",
					"CREATE FUNCTION f() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM child WHERE r = 1; RETURN 0; END",
					"CREATE VIEW view_of_f AS SELECT f() AS f", "CREATE VIEW view_of_t AS SELECT * FROM t",
					"CREATE TRIGGER trg AFTER INSERT ON t FOR EACH ROW DELETE FROM child WHERE r = 1")
				_, err := f.db.ExecContext(t.Context(), tt.text, tt.args...)
				require.ErrorIs(t, err, dbguard.Unbounded)
				_, err = f.db.ExecContext(dbguard.AtMost(t.Context(), 4), tt.text, tt.args...)
				require.ErrorIs(t, err, dbguard.OverLimit)
				tx, err := f.db.BeginTx(t.Context(), nil)
				require.NoError(t, err)
				_, err = tx.ExecContext(dbguard.AtMost(t.Context(), 4), tt.text, tt.args...)
				require.ErrorIs(t, err, dbguard.OverLimit)
				_, err = tx.ExecContext(t.Context(), "INSERT INTO child VALUES (9, 9)")
				require.NoError(t, err, "the transaction is of use")
				require.NoError(t, tx.Commit())
				assert.Equal(t, 6, f.count(t, "child"))
				assert.Zero(t, f.count(t, "t WHERE id = 20"))
				_, err = f.db.ExecContext(dbguard.AtMost(t.Context(), 5), tt.text, tt.args...)
				require.NoError(t, err)
				assert.Equal(t, 1, f.count(t, "child"))
			})
		})
	}
}

// A plain INSERT takes one round trip, as it does without a guard.
func TestPlainInsertsTakeOneRoundTrip(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, f *fixture) {
		f.execBare(t, insertTables...)
		p, dsn := network.Through(t, f.DSN+"&interpolateParams=true", time.Millisecond)
		db := f.openGuarded(t, dsn)
		trips := func(on execQuerier, texts ...string) int64 {
			_, err := on.ExecContext(t.Context(), "INSERT INTO t VALUES (?, 0)", 1000+p.Trips()) // what is asked once
			require.NoError(t, err)
			before := p.Trips()
			for i, text := range texts {
				_, err := on.ExecContext(t.Context(), text, i+int(before)*10)
				require.NoError(t, err)
			}
			return p.Trips() - before
		}
		assert.EqualValues(t, 3, trips(db, "INSERT INTO t VALUES (?, 0)", "INSERT INTO made (k) VALUES (?)", "INSERT INTO made (k) VALUES (?)"))
		before := p.Trips()
		_, err := db.ExecContext(t.Context(), "INSERT INTO kinds (s, at) VALUES (?, ?)", "it's", time.Now())
		require.NoError(t, err)
		assert.EqualValues(t, 1, p.Trips()-before)
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		assert.EqualValues(t, 3, trips(tx, "INSERT INTO t VALUES (?, 0)", "INSERT INTO t SET id = ?, n = 1", "INSERT IGNORE INTO t VALUES (?, 0)"), "t was seen")
		require.NoError(t, tx.Commit())
	})
}
