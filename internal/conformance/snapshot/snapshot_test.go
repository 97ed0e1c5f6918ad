package snapshot_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/snapshot"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

func TestMain(m *testing.M) { servers.PrivateMain(m) }

// setup is understood by all engines.
const setup = `
CREATE TABLE t (id INT PRIMARY KEY, v INT);
INSERT INTO t VALUES (1, 10), (2, 20), (3, 30);
CREATE TABLE u (id INT PRIMARY KEY, t_id INT REFERENCES t (id) ON DELETE CASCADE);
CREATE INDEX i ON t (v);
CREATE VIEW w AS SELECT v FROM t`

// A change is a statement and all that it does; diff is "" where no snapshot shows it, and
// stands for the name of the database.
type change struct{ statement, diff string }

var changes = map[target.Engine][]change{
	target.SQLite: {
		{"DELETE FROM t WHERE id = 1", "lost 1 of t"},
		{"UPDATE t SET v = id + 20 WHERE id IN (1, 2)", "added 2 of t, lost 2 of t"},
		{"UPDATE t SET v = v", ""},
		{"INSERT INTO t VALUES (4, 40)", "added 1 of t"},
		{"CREATE TABLE x (a)", "new column x.a, new table text x"},
		{"DROP TABLE u", "gone column u.id, gone column u.t_id, gone index sqlite_autoindex_u_1, gone table text u"},
		{"DROP INDEX i", "gone index i"},
		{"ALTER TABLE t ADD COLUMN n TEXT", "new column t.n"},
		{"PRAGMA user_version = 7", "changed user_version"},
		{"CREATE TEMP TABLE z AS SELECT * FROM t", ""},
		{"VACUUM INTO 'copy.db'", "created file copy.db"},
		{"ATTACH 'other.db' AS o; CREATE TABLE o.a (b)", "created file other.db"},
		{"PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'ON DELETE CASCADE', '') WHERE name = 'u'", "changed table text u"},
	},
	target.Postgres: {
		{"DELETE FROM t WHERE id = 1", "lost 1 of t"},
		{"UPDATE t SET v = id + 20 WHERE id IN (1, 2)", "added 2 of t, lost 2 of t"},
		{"TRUNCATE t CASCADE", "lost 3 of t"},
		{"DROP INDEX i", "gone index public.i"},
		{"ALTER TABLE t ADD COLUMN n TEXT", "new column t.n"},
		{"ALTER TABLE u ALTER t_id TYPE bigint", "changed column u.t_id"},
		{"ALTER TABLE u DISABLE TRIGGER ALL", `changed trigger u.u_t_id_fkey "RI_FKey_check_ins", changed trigger u.u_t_id_fkey "RI_FKey_check_upd"`},
		{"CREATE OR REPLACE VIEW w AS SELECT 1 AS v", "changed relation public.w, changed rule w._RETURN"},
		{"CREATE SCHEMA s", "created schema s"},
		{"DROP SCHEMA IF EXISTS nothing", ""},
		{"CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p0 PARTITION OF p DEFAULT; INSERT INTO p VALUES (1)", "added 1 of p0, new column p.id, new column p0.id, new relation public.p, new relation public.p0"},
		{"SELECT lo_from_bytea(0, 'x')", "added 1 of pg_largeobject"},
		{"GRANT DELETE ON t TO PUBLIC", "new grant DELETE on t to 0"},
		{"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "new routine f()"},
		{"CREATE TEMP TABLE z AS SELECT * FROM t", ""},
		{"SELECT nextval('q')", ""},
	},
	target.MariaDB: {
		{"DELETE FROM t WHERE id = 1", "lost 1 of `t`"},
		{"UPDATE t SET v = id + 20 WHERE id IN (1, 2)", "added 2 of `t`, lost 2 of `t`"},
		{"DROP VIEW w", "gone column w v, gone table w, gone view w"},
		{"DROP INDEX i ON t", "gone index t i"},
		{"ALTER TABLE t ADD COLUMN n TEXT", "new column t n"},
		{"ALTER TABLE t MODIFY v BIGINT", "changed column t v, changed column w v"},
		{"ALTER TABLE u DROP FOREIGN KEY u_ibfk_1", "gone foreign key u u_ibfk_1"},
		{"CREATE TABLE a (b INT) ENGINE = Aria", "new column a b, new table a"},
		{"ALTER TABLE t ADD SYSTEM VERSIONING", "added 3 of `t` with history, changed table t"},
		{"CREATE DATABASE elsewhere; CREATE TABLE elsewhere.a (b INT)", "new column elsewhere a b, new table elsewhere a, created database elsewhere"},
		{"CREATE PROCEDURE p() DELETE FROM t", "new PROCEDURE p"},
		{"CREATE TEMPORARY TABLE z AS SELECT * FROM t", ""},
		{"ALTER TABLE t ADD COLUMN n INT DEFAULT 1 INVISIBLE; UPDATE t SET n = 2", "new column t n"},
	},
	target.MySQL: {
		{"DELETE FROM t WHERE id = 1", "lost 1 of `t`"},
		{"UPDATE t SET v = id + 20 WHERE id IN (1, 2)", "added 2 of `t`, lost 2 of `t`"},
		{"DROP VIEW w", "gone column w v, gone table w, gone view w"},
		{"DROP INDEX i ON t", "gone index t i"},
		{"ALTER TABLE t ALTER INDEX i INVISIBLE", ""},
		{"ALTER TABLE t ALTER COLUMN v SET INVISIBLE", "changed column t v"},
		{"CREATE INDEX f ON t ((v + 1))", "new index t f"},
		{"ALTER TABLE t ADD COLUMN n TEXT", "new column t n"},
		{"ALTER TABLE t MODIFY v BIGINT", "changed column t v, changed column w v"},
		{"ALTER TABLE t ADD CONSTRAINT c CHECK (v > 0)", "new check c"},
		{"ALTER TABLE u DROP FOREIGN KEY u_ibfk_1", "gone foreign key u u_ibfk_1"},
		{"CREATE TABLE a (b INT) ENGINE = MyISAM", "new column a b, new table a"},
		{"CREATE DATABASE elsewhere; CREATE TABLE elsewhere.a (b INT)", "new column elsewhere a b, new table elsewhere a, created database elsewhere"},
		{"CREATE PROCEDURE p() DELETE FROM t", "new PROCEDURE p"},
		{"CREATE TEMPORARY TABLE z AS SELECT * FROM t", ""},
		{
			"SET sql_generate_invisible_primary_key = 1; CREATE TABLE g (a INT); INSERT INTO g VALUES (1)",
			"added 1 of `g`, new column g a, new column g my_row_id, new index g PRIMARY, new table g",
		},
	},
}

func TestChangesShow(t *testing.T) {
	for _, tg := range target.All() {
		t.Run(tg.String(), func(t *testing.T) {
			for _, c := range changes[tg.Engine] {
				t.Run(c.statement, func(t *testing.T) { assertChange(t, tg, c) })
			}
		})
	}
}

func assertChange(t *testing.T, tg target.Target, c change) {
	d := tg.Database(t)
	if tg.Engine == target.SQLite {
		t.Chdir(d.Dir())
	}
	db := d.Bare(t)
	defer db.Close()
	exec(t, db, setup)
	if tg.Engine == target.Postgres {
		exec(t, db, "CREATE SEQUENCE q")
	}
	before, err := d.Snapshot(t.Context(), db)
	require.NoError(t, err)
	exec(t, db, c.statement)
	after, err := d.Snapshot(t.Context(), db)
	require.NoError(t, err)
	diff := snapshot.Between(before, after).String()
	if tg.Engine.InMySQLFamily() {
		exec(t, db, "DROP DATABASE IF EXISTS elsewhere")
	}
	assert.Equal(t, c.diff, diff)
}

func exec(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), text)
	require.NoError(t, err)
}
