package cluster

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
)

// execAll runs texts on one connection.
func execAll(t *testing.T, db *sql.DB, texts ...string) {
	t.Helper()
	c, err := db.Conn(t.Context())
	require.NoError(t, err)
	for _, text := range texts {
		_, err := c.ExecContext(t.Context(), text)
		require.NoError(t, err, text)
	}
	require.NoError(t, c.Close())
}

// openOne is open for one connection.
func openOne(t *testing.T, dsn string, guarded bool) *sql.DB {
	t.Helper()
	db := open(t, dsn, guarded)
	db.SetMaxOpenConns(1)
	return db
}

// rowTexts are statements on rows of t, whose id is the last argument.
var rowTexts = []string{"DELETE FROM t WHERE id = ?", "UPDATE t SET n = n + 1 WHERE id = ?", "UPDATE t SET k = k + 1 WHERE id = ?", "INSERT INTO t (n, id) VALUES (0, ?)"}

// learnRowTexts has the guard rely on what it has found out of t, without any change.
func (p *replicaPair) learnRowTexts(t *testing.T, db *sql.DB) {
	t.Helper()
	pace := ordinarily
	if p.engine == servers.MariaDB {
		pace = often
	}
	for range pace.rounds {
		for _, text := range append(rowTexts, rowTexts[0]) {
			_, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), text, -1)
			require.NoError(t, err, text)
		}
		time.Sleep(pace.between)
	}
}

// becomeReplica has the replica follow. What it then gets can be older by the primary's clock
// than what a session on it has found out.
func (p *replicaPair) becomeReplica(t *testing.T) {
	name, _ := p.newDatabase(t)
	schema := []string{
		"CREATE TABLE t (id INT PRIMARY KEY, n INT, k INT DEFAULT 0, INDEX (k))", "INSERT INTO t (id, n) VALUES (1, 0), (2, 0), (3, 0)",
		"CREATE TABLE child (id INT PRIMARY KEY, p INT)", "INSERT INTO child VALUES (1, 1), (2, 1), (3, 2)",
	}
	replica := bareDB(t, p.replica, "")
	execAll(t, replica, append([]string{"CREATE DATABASE " + name, "USE " + name}, schema...)...)
	primary := bareDB(t, p.primary, name)
	execAll(t, primary, schema...)
	guarded := openOne(t, p.replica.DSN+name, true)
	p.learnRowTexts(t, guarded)
	p.follow(t)
	refused := func(text string) {
		p.catchUp(t)
		_, err := guarded.ExecContext(dbguard.AtMost(t.Context(), 1), text, 1)
		require.ErrorIs(t, err, dbguard.OverLimit, text)
	}
	execAll(t, primary, "SET timestamp = UNIX_TIMESTAMP() - 3600", "CREATE TRIGGER trg AFTER UPDATE ON t FOR EACH ROW DELETE FROM child", "SET timestamp = 0")
	refused(rowTexts[1])
	refused(rowTexts[2])
	execAll(t, primary, "DROP TRIGGER trg")
	p.catchUp(t)
	p.learnRowTexts(t, guarded)
	execAll(t, primary, "ALTER TABLE child ADD FOREIGN KEY (p) REFERENCES t (id) ON DELETE CASCADE")
	refused(rowTexts[0])
	assert.Empty(t, p.differences(t, name))
}

// readOnly has a replica refuse what an ordinary account writes.
func (p *replicaPair) readOnly(t *testing.T) {
	name, _ := p.newDatabase(t)
	execAll(t, bareDB(t, p.primary, name),
		"CREATE TABLE t (id INT PRIMARY KEY, n INT, k INT DEFAULT 0, INDEX (k))", "INSERT INTO t (id, n) VALUES (1, 0), (2, 0), (3, 0)",
		"CREATE USER app@'%'", "GRANT PROCESS ON *.* TO app@'%'", "GRANT ALL ON "+name+".* TO app@'%'")
	p.catchUp(t)
	dsn := "app@tcp(" + p.replica.Addr() + ")/" + name
	bare, guarded := openOne(t, dsn, false), openOne(t, dsn, true)
	p.learnRowTexts(t, guarded)
	p.onReplica(t, "SET GLOBAL read_only = 1")
	defer p.onReplica(t, "SET GLOBAL read_only = 0")
	ctx := dbguard.AtMost(t.Context(), 1)
	for round := range 3 {
		for _, text := range rowTexts {
			_, want := bare.ExecContext(ctx, text, round)
			require.ErrorContains(t, want, "1290")
			_, err := guarded.ExecContext(ctx, text, round)
			assert.EqualError(t, err, want.Error(), text)
			assert.EqualError(t, execInTx(ctx, guarded, text, round), want.Error(), text)
		}
	}
	p.onReplica(t, "SET GLOBAL read_only = 0")
	for _, text := range rowTexts {
		_, err := guarded.ExecContext(ctx, text, -1)
		require.NoError(t, err, text)
		require.NoError(t, execInTx(ctx, guarded, "DELETE FROM t WHERE id = ?", -1), text)
	}
	assert.Empty(t, p.differences(t, name))
}

func execInTx(ctx context.Context, db *sql.DB, text string, args ...any) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, text, args...); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// changeFormat has a session log texts that has logged rows.
func (p *replicaPair) changeFormat(t *testing.T) {
	name, dsn := p.newDatabase(t)
	execAll(t, bareDB(t, p.primary, name),
		"CREATE TABLE t (id INT PRIMARY KEY, n INT, k INT DEFAULT 0, INDEX (k))", "INSERT INTO t (id, n) VALUES (1, 0), (2, 0), (3, 0), (11, 0), (12, 0), (13, 0)")
	for nth, change := range []string{"SET SESSION binlog_format = 'MIXED'", "SET @@binlog_format = 'STATEMENT'"} {
		db := openOne(t, dsn+"?binlog_format=ROW", true)
		p.learnRowTexts(t, db)
		execAll(t, db, change)
		p.learnRowTexts(t, db)
		for i, text := range rowTexts {
			_, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), text, 10*nth+i+1)
			require.NoError(t, err, text)
		}
		p.catchUp(t)
		assert.Empty(t, p.differences(t, name), change)
	}
}
