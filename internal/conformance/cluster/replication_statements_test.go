package cluster

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A replicatedStatement is one that a primary logs for its replicas. @ begins the names of
// its tables.
type replicatedStatement struct {
	name   string
	schema []string // besides @t, of replicatedTable
	text   string
	args   func(round int) []any
}

// replicatedTable is @t, with replicatedRows.
const replicatedTable = `CREATE TABLE @t (id INT AUTO_INCREMENT PRIMARY KEY, k INT, n INT NOT NULL DEFAULT 0, s VARCHAR(200) DEFAULT '', b VARBINARY(99), at DATETIME(6), f DOUBLE, INDEX (k))`

const replicatedRows = 200

func byID(round int) []any { return []any{3*round + 2} }

func byKey(round int) []any { return []any{round + 2} }

func newID(round int) []any { return []any{1000 + round, "it's \"new\""} }

func newIDs(round int) []any { return []any{round + 1, 1000 + round} }

// partTable and its like are referenced by no more than one statement each.
var (
	auditTable  = "CREATE TABLE @audit (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(50))"
	childTable  = "CREATE TABLE @c (id INT AUTO_INCREMENT PRIMARY KEY, p INT, n INT DEFAULT 0, FOREIGN KEY (p) REFERENCES @t (id) ON DELETE CASCADE ON UPDATE CASCADE)"
	fillChild   = "INSERT INTO @c (p) SELECT id FROM @t WHERE id % 2 = 0 ORDER BY id"
	secondTable = "CREATE TABLE @u (id INT PRIMARY KEY, n INT)"
	fillSecond  = "INSERT INTO @u SELECT id, 0 FROM @t"
)

func auditing(event string) string {
	row := "NEW"
	if event == "DELETE" {
		row = "OLD"
	}
	return fmt.Sprintf("CREATE TRIGGER @%s AFTER %[1]s ON @t FOR EACH ROW INSERT INTO @audit (what) VALUES (CONCAT('%[1]s ', %s.id))", event, row)
}

var replicatedStatements = []replicatedStatement{
	{name: "delete by primary key", text: "DELETE FROM @t WHERE id = ?", args: byID},
	{name: "delete by index", text: "DELETE FROM @t WHERE k = ? AND n < ?", args: func(round int) []any { return []any{round + 2, 5} }},
	{name: "delete ordered", text: "DELETE FROM @t WHERE n < ? ORDER BY id DESC LIMIT 2", args: byID},
	{name: "delete limited", text: "DELETE FROM @t WHERE k = ? LIMIT 1", args: byKey},
	{name: "delete by subquery", text: "DELETE FROM @t WHERE id IN (SELECT x FROM (SELECT MAX(id) AS x FROM @t WHERE k = ?) m)", args: byKey},
	{name: "delete of several tables", schema: []string{secondTable, fillSecond}, text: "DELETE @t, @u FROM @t JOIN @u ON @u.id = @t.id WHERE @t.id = ?", args: byID},
	{name: "delete with cascade", schema: []string{childTable, fillChild}, text: "DELETE FROM @t WHERE id = ?", args: byID},
	{name: "delete with trigger", schema: []string{auditTable, auditing("DELETE")}, text: "DELETE FROM @t WHERE id = ?", args: byID},
	{name: "update of unindexed", text: "UPDATE @t SET n = n + 1, s = ? WHERE id = ?", args: func(round int) []any { return []any{`a \ 'b' "c" ü`, 3*round + 2} }},
	{name: "update of indexed", text: "UPDATE @t SET k = k + 100 WHERE id = ?", args: byID},
	{name: "update of several rows", text: "UPDATE @t SET n = n + id WHERE k = ?", args: byKey},
	{name: "update of values of all types", text: "UPDATE @t SET b = ?, at = ?, f = ?, n = ? WHERE id = ?", args: func(round int) []any {
		return []any{[]byte{0, 255, '\'', '\\', '"'}, time.Date(2024, 2, 29, 23, 59, 58, 123456000, time.UTC), 0.1 + 1e-17*float64(round), true, 3*round + 2}
	}},
	{name: "update to NULL", text: "UPDATE @t SET b = ?, s = ? WHERE id = ?", args: func(round int) []any { return []any{nil, nil, 3*round + 2} }},
	{name: "update ordered", text: "UPDATE @t SET n = n + 1 WHERE k >= ? ORDER BY id DESC LIMIT 2", args: byKey},
	{name: "update limited", text: "UPDATE @t SET n = n + 1 WHERE k = ? LIMIT 1", args: byKey},
	{name: "update at random", text: "UPDATE @t SET f = RAND(), at = NOW(6) WHERE id = ?", args: byID},
	{name: "update of some at random", text: "UPDATE @t SET n = n + 1 WHERE k = ? AND RAND() < 0.5", args: byKey},
	{name: "update to a UUID", text: "UPDATE @t SET s = UUID() WHERE id = ?", args: byID},
	{name: "update of several tables", schema: []string{secondTable, fillSecond}, text: "UPDATE @t JOIN @u ON @u.id = @t.id SET @t.n = 7, @u.n = 8 WHERE @t.k = ?", args: byKey},
	{name: "update with cascade", schema: []string{childTable, fillChild}, text: "UPDATE @t SET id = id + 1000 WHERE id = ?", args: byID},
	{name: "update with trigger", schema: []string{auditTable, auditing("UPDATE")}, text: "UPDATE @t SET n = n + 1 WHERE k = ?", args: byKey},
	{name: "update without primary key", schema: []string{"CREATE TABLE @h (n INT, k INT)", "INSERT INTO @h SELECT n, k FROM @t"}, text: "UPDATE @h SET n = n + 1 WHERE k = ?", args: byKey},
	{name: "update of partitions", schema: []string{"CREATE TABLE @p (id INT PRIMARY KEY, n INT) PARTITION BY HASH (id) PARTITIONS 3", "INSERT INTO @p SELECT id, n FROM @t"}, text: "UPDATE @p SET n = n + 1 WHERE id < ?", args: byKey},
	{name: "insert", text: "INSERT INTO @t (id, s) VALUES (?, ?)", args: newID},
	{name: "insert with auto-increment", text: "INSERT INTO @t (k) VALUES (?)", args: byKey},
	{name: "insert of rows with auto-increment", text: "INSERT INTO @t (k) VALUES (?), (1), (2)", args: byKey},
	{name: "insert with SET", text: "INSERT INTO @t SET k = ?, f = RAND()", args: byKey},
	{name: "insert with trigger", schema: []string{auditTable, auditing("INSERT")}, text: "INSERT INTO @t (k) VALUES (?)", args: byKey},
	{name: "insert that cannot be undone", schema: []string{"CREATE TABLE @m (id INT AUTO_INCREMENT PRIMARY KEY, k INT) ENGINE = MyISAM"}, text: "INSERT INTO @m (k) VALUES (?)", args: byKey},
	{name: "insert of a query", schema: []string{secondTable}, text: "INSERT INTO @u SELECT id, n FROM @t WHERE k = ?", args: byKey},
	{name: "insert ignored", text: "INSERT IGNORE INTO @t (id, n) VALUES (?, ?)", args: newIDs},
	{name: "upsert", text: "INSERT INTO @t (id, n) VALUES (?, ?) ON DUPLICATE KEY UPDATE n = n + VALUES(n)", args: newIDs},
	{name: "replace", text: "REPLACE INTO @t (id, n) VALUES (?, ?)", args: newIDs},
	{name: "ids of rows before", text: "INSERT INTO @t (k, n) VALUES (?, LAST_INSERT_ID())", args: byKey},
}

// tables is the prefix of a statement's tables.
func (s replicatedStatement) tables(name string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(name) + "_"
}

func (s replicatedStatement) named(text string) string {
	return strings.ReplaceAll(text, "@", s.tables(s.name))
}

// create makes the tables of the statement.
func (s replicatedStatement) create(t *testing.T, db *sql.DB) {
	t.Helper()
	fill := "INSERT INTO @t (id, k, n) VALUES (1, 1, 1)"
	for id := 2; id <= replicatedRows; id++ {
		fill += fmt.Sprintf(", (%d, %d, %d)", id, id%60, id%3)
	}
	for _, text := range append([]string{replicatedTable, fill}, s.schema...) {
		_, err := db.ExecContext(t.Context(), s.named(text))
		require.NoError(t, err, s.named(text))
	}
}

// A replicatedWay is how a statement is sent, each round, on the same connection.
type replicatedWay struct {
	name    string
	repeats bool // always the same text
	send    func(ctx context.Context, db *sql.DB, text string, args []any, round int) error
}

// replicatedWays are in an order in which tables that differ bare do so late.
var replicatedWays = []replicatedWay{
	{"arguments", true, func(ctx context.Context, db *sql.DB, text string, args []any, round int) error {
		if round%6 == 3 {
			if _, err := db.ExecContext(dbguard.AtMost(ctx, 0), text, args...); !errors.Is(err, dbguard.ErrRefused) {
				return err // it only adds, or the database is not guarded
			}
		}
		_, err := db.ExecContext(ctx, text, args...)
		return err
	}},
	{"literals, budgets and prepared statements", false, func(ctx context.Context, db *sql.DB, text string, args []any, round int) error {
		switch round % 3 {
		case 1:
			ctx = dbguard.Budget(ctx, replicatedRows)
		case 2:
			stmt, err := db.PrepareContext(ctx, text)
			if err != nil {
				return err
			}
			_, err = stmt.ExecContext(ctx, args...)
			return errors.Join(err, stmt.Close())
		}
		_, err := db.ExecContext(ctx, target.WithLiterals(text, args))
		return err
	}},
	{"transactions", true, inTransaction},
}

// inTransaction commits the statement, once with a refused one before it, once behind a
// savepoint that is rolled back, and once rolls all back.
func inTransaction(ctx context.Context, db *sql.DB, text string, args []any, round int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	exec := func(ctx context.Context, text string, args ...any) {
		if err == nil {
			_, err = tx.ExecContext(ctx, text, args...)
		}
	}
	switch round % 4 {
	case 1:
		if exec(dbguard.AtMost(ctx, 0), text, args...); err != nil && !errors.Is(err, dbguard.ErrRefused) {
			return err
		} else if err == nil {
			return tx.Commit()
		}
		err = nil
	case 2:
		exec(ctx, "SAVEPOINT mine")
		exec(ctx, text, args...)
		exec(ctx, "ROLLBACK TO SAVEPOINT mine")
	}
	exec(ctx, text, args...)
	if err != nil || round%4 == 3 {
		return err
	}
	return tx.Commit()
}
