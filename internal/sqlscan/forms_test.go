package sqlscan

import "testing"

// The forms that statements take beyond the traps: one row for every kind and
// every flag, and what must not be mistaken for it.

func TestRowForms(t *testing.T) {
	checkReadings(t, []readingRow{
		{"nothing", PostgreSQL, " ; -- x", ""},
		{"a read", PostgreSQL, "SELECT a FROM t WHERE b = 1 FOR UPDATE", "read"},
		{"several statements", PostgreSQL, "SELECT 1; DELETE FROM t; UPDATE u SET a = 1", "Delete t; Update u"},
		{"USING", PostgreSQL, "DELETE FROM ONLY a AS x USING b WHERE x.id = b.id RETURNING *", "Delete a returning multi where x.id = b.id"},
		{"UPDATE FROM", PostgreSQL, "UPDATE a SET b = 1 FROM c WHERE d", "Update a multi where d"},
		{"no table", PostgreSQL, "DELETE FROM WHERE id = 1", "Unreadable"},
		{"no condition", PostgreSQL, "DELETE FROM t WHERE", "Unreadable"},
		{"no FROM", PostgreSQL, "DELETE t", "Unreadable"},
		{"no SET", PostgreSQL, "UPDATE t WHERE a", "Unreadable"},
		{"an open parenthesis", PostgreSQL, "DELETE FROM t WHERE (a = 1", "Unreadable"},
		{"a semicolon in a parenthesis", PostgreSQL, "SELECT (1; DELETE FROM t)", "Unreadable"},
		{"a parenthesis too many", PostgreSQL, "DELETE FROM t)", "Unreadable"},
		{"an unknown word", PostgreSQL, "DELETER FROM t", "Unreadable"},
		{"an open string", MySQL, "SELECT 1; DELETE FROM t WHERE a = 'x", "Unreadable"},
		{"what was read before stays", MySQL, "DELETE FROM t; SELECT 'x", "Delete t; Unreadable"},
		{"ON CONFLICT DO NOTHING", PostgreSQL, "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "Insert t do-nothing rows 1"},
		{"ON DUPLICATE KEY", MySQL, "INSERT INTO t SELECT a FROM b JOIN c ON duplicate = 1 ON DUPLICATE KEY UPDATE a = 1", "Upsert t"},
		{"a column named conflict", PostgreSQL, "INSERT INTO t SELECT a FROM b JOIN c ON conflict = 1", "Insert t"},
		{"DEFAULT VALUES", SQLite, "INSERT INTO t DEFAULT VALUES", "Insert t rows 1"},
		{"OVERRIDING and an alias", PostgreSQL, "INSERT INTO t AS x (a) OVERRIDING SYSTEM VALUE VALUES (f(1)), (2)", "Insert t rows 2; calls"},
		{"a query in parentheses", PostgreSQL, "INSERT INTO t ((SELECT 1))", "Insert t"},
		{"TABLE in parentheses", MySQL, "INSERT INTO t (TABLE u) ON DUPLICATE KEY UPDATE a = 1", "Upsert t"},
		{"OVERRIDING and a query in parentheses", PostgreSQL, "INSERT INTO t OVERRIDING USER VALUE (SELECT 1) ON CONFLICT (a) DO UPDATE SET a = 1", "Upsert t"},
		{"WITH in INSERT", PostgreSQL, "INSERT INTO t WITH d AS (DELETE FROM u RETURNING *) SELECT * FROM d", "Insert t; Delete/cte u returning"},
		{"WITH in an upsert", MySQL, "INSERT INTO t (id) WITH n AS (SELECT 1 AS i) SELECT i FROM n ON DUPLICATE KEY UPDATE id = 2", "Upsert t"},
		{"WITH in an upsert that returns", PostgreSQL, "INSERT INTO t WITH n AS (SELECT 1) SELECT * FROM n ON CONFLICT (id) DO UPDATE SET a = 1 RETURNING id", "Upsert t returning"},
		{"WITH in an upsert, and a join", SQLite, "INSERT INTO t WITH n AS (SELECT 1 AS i) SELECT i FROM n JOIN m ON n.i = m.i WHERE true ON CONFLICT DO UPDATE SET a = 1", "Upsert t"},
		{"nothing behind WITH in INSERT", PostgreSQL, "INSERT INTO t WITH n AS (SELECT 1)", "Unreadable"},
		{"COPY FROM", PostgreSQL, "COPY t (a, b) FROM STDIN WITH (FORMAT csv)", "Insert t"},
		{"a limit that is a parameter", MySQL, "DELETE FROM t LIMIT ?", "Delete t limit -1"},
		{"a limit beyond any count", MySQL, "UPDATE t SET a = 1 LIMIT 18446744073709551615", "Update t limit -1"},
		{"ORDER BY and LIMIT", MySQL, "UPDATE t SET a = 1 WHERE b ORDER BY c LIMIT 3", "Update t where b limit 3"},
		{"a partition", MySQL, "DELETE FROM t PARTITION (p0, p1) WHERE a", "Delete t where a"},
		{"an alias", MySQL, "DELETE a1 FROM t1 AS a1 JOIN t2 ON a1.id = t2.id", "Delete t1 multi joined"},
		{"casts are no calls", PostgreSQL, "SELECT CAST(a AS numeric(10, 2)), b::varchar(3) FROM t AS x(a, b)", "read"},
		{"the catalogue's functions", PostgreSQL, "SELECT pg_catalog.pg_get_expr(a, b), public.pg_get_expr(a)", "read; calls"},
		{"a parameter for a table", SQLite, "DELETE FROM t WHERE a = :a", "Delete t where a = :a"},
		{"a temporary schema", PostgreSQL, "DELETE FROM pg_temp.t", "Delete pg_temp.t temporary"},
	})
}

func TestStructureForms(t *testing.T) {
	checkReadings(t, []readingRow{
		{"CREATE TABLE", PostgreSQL, "CREATE UNLOGGED TABLE IF NOT EXISTS t (a int DEFAULT f(1))", "Define t if-not-exists"},
		{"CREATE TABLE AS", PostgreSQL, "CREATE TABLE t AS SELECT f(1)", "Insert t; calls"},
		{"CREATE TABLE SELECT", MySQL, "CREATE TABLE t (a INT) IGNORE SELECT 1", "Insert t"},
		{"CREATE VIEW", PostgreSQL, "CREATE OR REPLACE VIEW v AS SELECT f(1)", "Define v or-replace view"},
		{"CREATE MATERIALIZED VIEW", PostgreSQL, "CREATE MATERIALIZED VIEW v AS SELECT f(1)", "Define v view; calls"},
		{"CREATE INDEX", PostgreSQL, "CREATE INDEX CONCURRENTLY i ON t USING btree (lower(a))", "Define t view"},
		{"CREATE DATABASE", MySQL, "CREATE DATABASE IF NOT EXISTS d", "CreateDatabase d if-not-exists"},
		{"CREATE OR REPLACE DATABASE", MySQL, "CREATE OR REPLACE DATABASE d", "DropDatabase d or-replace; CreateDatabase d or-replace"},
		{"CREATE SCHEMA", PostgreSQL, "CREATE SCHEMA AUTHORIZATION joe", "CreateDatabase joe"},
		{"CREATE USER", PostgreSQL, "CREATE USER u", "Maintain"},
		{"DROP TABLE", PostgreSQL, "DROP TABLE IF EXISTS a, b.c CASCADE", "Drop a if-exists cascade; Drop b.c if-exists cascade"},
		{"DROP of anything else", PostgreSQL, "DROP FUNCTION f(int), g(text)", "Drop f view; Drop g view"},
		{"DROP TEMPORARY", MySQL, "DROP TEMPORARY TABLE t", "Drop t temporary"},
		{"DROP INDEX", MySQL, "DROP INDEX i ON t", "Drop t view"},
		{"DROP SCHEMA", PostgreSQL, "DROP SCHEMA a, b CASCADE", "DropDatabase a cascade; DropDatabase b cascade"},
		{"DROP OWNED", PostgreSQL, "DROP OWNED BY u CASCADE", "Drop cascade view"},
		{"TRUNCATE", PostgreSQL, "TRUNCATE TABLE ONLY a, b RESTART IDENTITY CASCADE", "Truncate a cascade; Truncate b cascade"},
		{"additions", PostgreSQL, "ALTER TABLE t ADD COLUMN a int, ALTER b SET DEFAULT 1, VALIDATE CONSTRAINT c, OWNER TO u", "Define t"},
		{"the worst action counts", PostgreSQL, "ALTER TABLE t ADD COLUMN a int, ALTER COLUMN b TYPE bigint", "Alter t"},
		{"SET DATA TYPE", PostgreSQL, "ALTER TABLE IF EXISTS t ALTER b SET DATA TYPE bigint", "Alter t if-exists"},
		{"DROP COLUMN", PostgreSQL, "ALTER TABLE ONLY t DROP COLUMN a", "Alter t"},
		{"NOT ENFORCED behind another action", PostgreSQL, "ALTER TABLE t ADD a int, ALTER CONSTRAINT c NOT ENFORCED", "Define t; GuardOff t"},
		{"a hint that turns keys off", MySQL, "DELETE /*+ NO_BNL(t) SET_VAR(foreign_key_checks = OFF) */ FROM t WHERE id = 1", "Delete t where id = 1; GuardOff foreign_key_checks"},
		{"a hint that turns keys off, in quotes", MySQL, "insert/*+set_var(`unique_checks`='0')*/ into t values (1)", "Insert t rows 1; GuardOff unique_checks"},
		{"a hint in a query", MySQL, "SELECT /*+ SET_VAR(sql_safe_updates = 0) */ 1", "GuardOff sql_safe_updates"},
		{"a hint that turns them on", MySQL, "SELECT /*+ SET_VAR(foreign_key_checks = 1) SET_VAR(sort_buffer_size = 16M) */ 1", "read"},
		{"a hint that is a comment", MySQL, "SELECT 1 /*+ SET_VAR(foreign_key_checks = 0) */", "read"},
		{"PERSIST", MySQL, "SET PERSIST_ONLY foreign_key_checks = 0", "GuardOff foreign_key_checks"},
		{"ENFORCED", MySQL, "ALTER TABLE t ALTER CONSTRAINT c ENFORCED", "Define t"},
		{"NOT DEFERRABLE", PostgreSQL, "ALTER TABLE t ALTER CONSTRAINT c NOT DEFERRABLE", "Define t"},
		{"an index becomes invisible", MySQL, "ALTER TABLE t ALTER INDEX i INVISIBLE", "Define t"},
		{"a column becomes invisible", MySQL, "ALTER TABLE t ALTER COLUMN a SET INVISIBLE", "Alter t"},
		{"a column becomes visible", MySQL, "ALTER TABLE t ALTER a SET VISIBLE", "Define t"},
		{"SET SCHEMA", PostgreSQL, "ALTER TABLE t SET SCHEMA s", "Alter t"},
		{"SET UNLOGGED", PostgreSQL, "ALTER TABLE t SET UNLOGGED", "Alter t"},
		{"RENAME", SQLite, "ALTER TABLE t RENAME COLUMN a TO b", "Alter t"},
		{"DETACH PARTITION", PostgreSQL, "ALTER TABLE t DETACH PARTITION p", "Alter t"},
		{"ATTACH PARTITION", PostgreSQL, "ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1)", "Define t"},
		{"NOT ENFORCED", PostgreSQL, "ALTER TABLE t ALTER CONSTRAINT k DEFERRABLE NOT ENFORCED, ADD a int", "Define t; GuardOff t"},
		{"a check that is not enforced", MySQL, "ALTER TABLE t ALTER CHECK k NOT ENFORCED", "Define t; GuardOff t"},
		{"a new check that is not enforced", PostgreSQL, "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT ENFORCED", "Define t"},
		{"ENFORCED", PostgreSQL, "ALTER TABLE t ALTER CONSTRAINT k NOT DEFERRABLE ENFORCED, ALTER COLUMN enforced TYPE int", "Alter t"},
		{"event trigger, disabled", PostgreSQL, "ALTER EVENT TRIGGER e DISABLE", "Define e view; GuardOff e view"},
		{"event trigger, on a replica", PostgreSQL, "ALTER EVENT TRIGGER e ENABLE REPLICA", "Define e view; GuardOff e view"},
		{"event trigger, enabled", PostgreSQL, "ALTER EVENT TRIGGER e ENABLE ALWAYS", "Define e view"},
		{"event triggers, off", PostgreSQL, "SET LOCAL event_triggers = off", "GuardOff event_triggers"},
		{"event triggers, on", PostgreSQL, "SET event_triggers = on", "Session"},
		{"MERGE PARTITIONS", PostgreSQL, "ALTER TABLE t MERGE PARTITIONS (a, b) INTO c", "Alter t; calls"},
		{"SPLIT PARTITION", PostgreSQL, "ALTER TABLE t SPLIT PARTITION a INTO (PARTITION b DEFAULT)", "Alter t"},
		{"DISABLE TRIGGER", PostgreSQL, "ALTER TABLE t DISABLE TRIGGER ALL", "Define t; GuardOff t"},
		{"ENABLE REPLICA RULE", PostgreSQL, "ALTER TABLE t ENABLE REPLICA RULE r", "Define t; GuardOff t"},
		{"ENABLE TRIGGER", PostgreSQL, "ALTER TABLE t ENABLE TRIGGER ALL, DISABLE ROW LEVEL SECURITY", "Define t"},
		{"MODIFY and CHANGE", MySQL, "ALTER TABLE t ADD INDEX i (a), MODIFY a JSON", "Alter t"},
		{"ENGINE", MySQL, "ALTER TABLE t ENGINE=BLACKHOLE", "Alter t"},
		{"CONVERT", MySQL, "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4", "Alter t"},
		{"partitions dropped", MySQL, "ALTER TABLE t DROP PARTITION p0, p1", "Drop t"},
		{"partitions emptied", MySQL, "ALTER TABLE t TRUNCATE PARTITION ALL", "Truncate t"},
		{"partitions exchanged", MySQL, "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u", "Alter t"},
		{"partitions added", MySQL, "ALTER TABLE t ADD PARTITION (PARTITION p VALUES LESS THAN (1))", "Define t"},
		{"table options", MySQL, "ALTER TABLE t COMMENT 'x', AUTO_INCREMENT = 1", "Define t"},
		{"options without a comma", MySQL, "ALTER TABLE t COMMENT 'x' AUTO_INCREMENT=1 ENGINE=BLACKHOLE", "Alter t"},
		{"a column named engine", MySQL, "ALTER TABLE t ADD engine INT", "Define t"},
		{"a wait before the actions", MySQL, "ALTER TABLE t WAIT 5 DROP COLUMN a", "Alter t"},
		{"TABLES", MySQL, "DROP TABLES a, b", "Drop a; Drop b"},
		{"a constraint trigger", PostgreSQL, "CREATE CONSTRAINT TRIGGER g AFTER INSERT ON t DEFERRABLE FOR EACH ROW EXECUTE FUNCTION f()", "Define t view"},
		{"an unknown action", MySQL, "ALTER TABLE t FROBNICATE", "Alter t"},
		{"RENAME TABLE", MySQL, "RENAME TABLE a TO b, c.d TO e", "Alter a; Alter c.d"},
		{"a view renamed", PostgreSQL, "ALTER VIEW v RENAME TO w", "Alter v view"},
		{"a type extended", PostgreSQL, "ALTER TYPE e ADD VALUE 'x'", "Define e view"},
		{"COMMENT", PostgreSQL, "COMMENT ON TABLE t IS 'drop'", "Define"},
	})
}

func TestSessionForms(t *testing.T) {
	checkReadings(t, []readingRow{
		{"transaction", PostgreSQL, "BEGIN ISOLATION LEVEL SERIALIZABLE; SAVEPOINT a; RELEASE a; ROLLBACK TO a; COMMIT", "Begin; Savepoint a; Release a; RollbackTo a; Commit"},
		{"END and ABORT", PostgreSQL, "END; ABORT", "Commit; Rollback"},
		{"PREPARE TRANSACTION", PostgreSQL, "PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'", "Commit; Commit"},
		{"autocommit off", MySQL, "SET @@session.autocommit = OFF", "Begin"},
		{"autocommit on", MySQL, "SET autocommit = 1", "Commit"},
		{"START TRANSACTION", MySQL, "START TRANSACTION READ ONLY", "Begin"},
		{"foreign keys", MySQL, "SET SESSION foreign_key_checks := 0, @x = 1", "GuardOff foreign_key_checks"},
		{"foreign keys on", MySQL, "SET foreign_key_checks = 1", "Session"},
		{"an expression", MySQL, "SET foreign_key_checks = 1 - 1, @x = 1", "GuardOff foreign_key_checks"},
		{"the default", MySQL, "SET foreign_key_checks = DEFAULT", "GuardOff foreign_key_checks"},
		{"white space around the dot", MySQL, "SET @@session . foreign_key_checks = 0", "GuardOff @@session.foreign_key_checks"},
		{"behind NAMES", MySQL, "SET NAMES utf8 COLLATE utf8_bin, foreign_key_checks = 0", "GuardOff foreign_key_checks"},
		{"behind CHARACTER SET", MySQL, "SET CHARACTER SET utf8, foreign_key_checks = 0", "GuardOff foreign_key_checks"},
		{"behind PASSWORD", MySQL, "SET PASSWORD FOR u@h = PASSWORD('x'), foreign_key_checks = 0", "Maintain; GuardOff foreign_key_checks"},
		{"autocommit behind NAMES", MySQL, "SET NAMES utf8, autocommit = 0", "Begin"},
		{"NAMES", MySQL, "SET NAMES utf8mb4 COLLATE utf8mb4_bin; DELETE FROM t", "Session; Delete t"},
		{"NAMES within a list", MySQL, "SET @x = 1, NAMES gbk; DELETE FROM t", "Session; Unreadable"},
		{"CHAR SET", MySQL, "SET CHAR SET gbk; DELETE FROM t", "Session; Unreadable"},
		{"a guard restored from a variable", MySQL, "SET FOREIGN_KEY_CHECKS = @old", "GuardOff FOREIGN_KEY_CHECKS"},
		{"replica", PostgreSQL, "SET LOCAL session_replication_role TO 'replica'", "GuardOff session_replication_role"},
		{"origin", PostgreSQL, "SET session_replication_role = origin", "Session"},
		{"an extension's bypass", PostgreSQL, "SET pg_savior.bypass = on", "GuardOff pg_savior.bypass"},
		{"an extension switched off", PostgreSQL, "SET safeupdate.enabled = 0", "GuardOff safeupdate.enabled"},
		{"a role's setting", PostgreSQL, "ALTER ROLE u SET session_replication_role = replica", "Maintain; GuardOff session_replication_role"},
		{"row security is no guard", PostgreSQL, "SET row_security = off", "Session"},
		{"a function in SET", MySQL, "SET @x = wipe()", "Session; calls"},
		{"GRANT and VACUUM", PostgreSQL, "GRANT DELETE ON t TO u; VACUUM FULL t; REINDEX TABLE t", "Maintain; Maintain; Maintain"},
		{"LOCK and LISTEN", PostgreSQL, "LOCK TABLE t; LISTEN x; DEALLOCATE p", "Session; Session; Session"},
		{"undone by its own ROLLBACK", PostgreSQL, "BEGIN; DELETE FROM t; DROP TABLE u; ROLLBACK; DELETE FROM v", "Begin; Delete t undone; Drop u undone; Rollback; Delete v"},
		{"undone, but for a commit between", MySQL, "START TRANSACTION; DELETE FROM t; DROP TABLE u; ROLLBACK", "Begin; Delete t; Drop u; Rollback"},
		{"undone, but for CREATE TABLE AS", MySQL, "BEGIN; DELETE FROM t; CREATE TABLE u AS SELECT 1; ROLLBACK", "Begin; Delete t; Insert u; Rollback"},
		{"not its own transaction", PostgreSQL, "DELETE FROM t; ROLLBACK", "Delete t; Rollback"},
		{"another transaction's ROLLBACK", PostgreSQL, "BEGIN; DELETE FROM t; ROLLBACK PREPARED 'x'", "Begin; Delete t; Rollback x"},
		{"only to a savepoint", PostgreSQL, "BEGIN; DELETE FROM t; ROLLBACK TO a", "Begin; Delete t; RollbackTo a"},
		{"a temporary table of the text", PostgreSQL, "CREATE TEMP TABLE x AS SELECT 1; DELETE FROM X; DELETE FROM s.x; DROP TABLE x; DELETE FROM x", "Insert x temporary; Delete x temporary; Delete s.x; Drop x temporary; Delete x"},
		{"a temporary table, dropped by its whole name", SQLite, "CREATE TEMP TABLE x (a); DELETE FROM X; DROP TABLE temp.x; DELETE FROM x", "Define x temporary; Delete X temporary; Drop temp.x temporary; Delete x"},
		{"a temporary table, dropped by the name of its database", MySQL, "CREATE TEMPORARY TABLE x (a INT); DROP TABLE d.x; DELETE FROM x", "Define x temporary; Drop d.x; Delete x"},
		{"a temporary table, dropped along", PostgreSQL, "CREATE TEMP TABLE p (a int); CREATE TEMP TABLE x () INHERITS (p); DROP TABLE p CASCADE; DELETE FROM x", "Define p temporary; Define x temporary; Drop p temporary cascade; Delete x; calls"},
		{"a temporary table with a trigger", PostgreSQL, "CREATE TEMP TABLE x (a int); CREATE TRIGGER g BEFORE DELETE ON x EXECUTE FUNCTION f(); DELETE FROM x", "Define x temporary; Define x temporary view; Delete x"},
		{"a temporary table with a rule", PostgreSQL, "CREATE TEMP TABLE x (a int); CREATE RULE r AS ON DELETE TO x DO INSTEAD DELETE FROM t; DELETE FROM x", "Define x temporary; Define x temporary view; Delete x"},
		{"a temporary table with an index", PostgreSQL, "CREATE TEMP TABLE x (a int); CREATE INDEX ON x (a); DELETE FROM x", "Define x temporary; Define x temporary view; Delete x temporary"},
		{"a temporary table that the path hides", PostgreSQL, "CREATE TEMP TABLE x (a int); SELECT set_config('search_path', 'public, pg_temp', true); DELETE FROM x", "Define x temporary; Delete x; calls"},
		{"a temporary table whose default calls", PostgreSQL, "CREATE TEMP TABLE x (a int DEFAULT f()); INSERT INTO x DEFAULT VALUES", "Define x temporary; Insert x temporary rows 1; calls"},
		{"a temporary table with a dot in its name", SQLite, `CREATE TEMP TABLE "main.x" (a); DELETE FROM main.x`, "Define main.x temporary; Delete main.x"},
		{"a temporary table with a dot in its name", PostgreSQL, `CREATE TEMP TABLE "public.x" (a int); DELETE FROM public.x`, "Define public.x temporary; Delete public.x"},
		{"a temporary table in other letters", MySQL, "CREATE TEMPORARY TABLE X (a INT); DELETE FROM x", "Define X temporary; Delete x"},
		{"a temporary table in letters that are not ASCII", SQLite, `CREATE TEMP TABLE "É" (a); DELETE FROM "é"`, "Define É temporary; Delete é"},
		{"EXECUTE of another name", PostgreSQL, `PREPARE "A" AS DELETE FROM t; PREPARE a AS SELECT 1; EXECUTE "A"`, "Prepare A; Prepare a; Opaque A"},
		{"a temporary table, rolled back", PostgreSQL, "CREATE TEMP TABLE x (a int); ROLLBACK; DELETE FROM x", "Define x temporary; Rollback; Delete x"},
		{"a temporary view is a view", SQLite, "CREATE TEMP VIEW x AS SELECT * FROM t; DELETE FROM x", "Define x temporary view; Delete x"},
		{"a temporary table that keeps its rows elsewhere", MySQL, "CREATE TEMPORARY TABLE x (a INT) ENGINE=MERGE UNION=(t); DELETE FROM x", "Define x; Delete x"},
		{"a temporary table of other letters", MySQL, "CREATE TEMPORARY TABLE T (a INT); DELETE FROM t; DELETE FROM T", "Define T temporary; Delete t; Delete T temporary"},
		{"a temporary table with a dot in its name", MySQL, "CREATE TEMPORARY TABLE `a.t` (a INT); DELETE FROM a.t", "Define a.t temporary; Delete a.t"},
		{"a temporary table of other letters", SQLite, "CREATE TEMP TABLE T (a INT); DELETE FROM t", "Define T temporary; Delete t temporary"},
	})
}

// What an index or the bound of a partition calls runs with the statement; what a
// default, a check or a view calls runs later.
func TestStructureCalls(t *testing.T) {
	for text, want := range map[string]bool{
		"CREATE INDEX ON t (f(a))":                                    true,
		"CREATE INDEX i ON t USING gin (f(a) gin_trgm_ops)":           true,
		"CREATE INDEX i ON t (a) WHERE f(a)":                          true,
		"CREATE INDEX i ON ONLY t (a, lower(b)) INCLUDE (c)":          false,
		"CREATE INDEX i ON s.t USING btree (a DESC)":                  false,
		"CREATE TABLE p PARTITION OF t FOR VALUES IN (f())":           true,
		"CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (f(2))": true,
		"CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (2)":    false,
		"CREATE TABLE t (a INT DEFAULT f(), CHECK (g(a)))":            false,
		"CREATE VIEW v AS SELECT f()":                                 false,
		"CREATE MATERIALIZED VIEW v AS SELECT f()":                    true,
	} {
		var x Text
		Classify(&x, text, PostgreSQL, PostgreSQL.DefaultMode())
		if x.Calls != want || x.Ops[0].Kind != Define {
			t.Errorf("%s: calls %t, want %t: %v", text, x.Calls, want, x.Ops)
		}
	}
}

// What EXPLAIN plans calls functions, but not in SQLite.
func TestExplainCalls(t *testing.T) {
	for text, want := range map[string]bool{
		"EXPLAIN SELECT * FROM (SELECT f() AS a) d":   true,
		"EXPLAIN FORMAT=JSON SELECT f()":              true,
		"EXPLAIN SELECT now() FROM t":                 false,
		"DESCRIBE t":                                  false,
		"EXPLAIN DELETE FROM t WHERE id = f()":        true,
		"EXPLAIN UPDATE t SET a = 1 WHERE b = abs(c)": false,
	} {
		for _, d := range []Dialect{MySQL, PostgreSQL, SQLite} {
			var x Text
			Classify(&x, text, d, d.DefaultMode())
			if got, want := x.Calls, want && d != SQLite; got != want {
				t.Errorf("%v %s: calls %v, want %v", d, text, got, want)
			}
		}
	}
}
