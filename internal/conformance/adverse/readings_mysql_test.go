package adverse

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

const wipes = "() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM child WHERE r = 1; RETURN 0; END"

// misread are texts that delete five rows of child, in ways that are hard to see.
var misread = []struct {
	name    string
	engines []target.Engine
	setup   []string
	set     string
	text    string
}{
	{"two schemas whose names differ by case", onMySQL, []string{"CREATE DATABASE dbg_k", "CREATE DATABASE dbg_K", "CREATE FUNCTION dbg_k.f() RETURNS INT RETURN 1", "CREATE FUNCTION dbg_K.f() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM DBNAME.child; RETURN 1; END"}, "@a = 1", "SELECT dbg_K.f()"},
	{"two schemas, the other way round", onMySQL, []string{"CREATE DATABASE dbg_k", "CREATE DATABASE dbg_K", "CREATE FUNCTION dbg_K.f() RETURNS INT RETURN 1", "CREATE FUNCTION dbg_k.f() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM DBNAME.child; RETURN 1; END"}, "@a = 1", "SELECT dbg_k.f()"},
	{"a view in the schema mysql", onMySQL, []string{"CREATE FUNCTION f" + wipes, "CREATE OR REPLACE VIEW mysql.dbg_v AS SELECT DBNAME.f() AS a"}, "@a = 1", "SELECT * FROM mysql.dbg_v"},
	{"doubled quotes in a function", onMySQL, []string{"CREATE FUNCTION f() RETURNS INT MODIFIES SQL DATA BEGIN SET @a = 'it''s'; DELETE FROM child WHERE r = 1; SET @a = 'it''s'; RETURN 1; END"}, "@a = 1", "SELECT f()"},
	{"escaped quotes in a function", onMySQL, []string{`CREATE FUNCTION f() RETURNS INT MODIFIES SQL DATA BEGIN SET @a = 'it\'s'; DELETE FROM child WHERE r = 1; SET @a = 'it\'s'; RETURN 1; END`}, "@a = 1", "SELECT f()"},
	{"doubled quotes in a trigger", onMySQL, []string{"CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW BEGIN SET @a = 'it''s'; DELETE FROM child WHERE r = 1; SET @a = 'it''s'; END"}, "@a = 1", "UPDATE t SET n = 5 WHERE id = 1"},
	{"a name with quotes, in a trigger", onMySQL, []string{"CREATE TABLE `a``b` (id INT)", "CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW BEGIN INSERT INTO `a``b` SELECT 1; DELETE FROM child; INSERT INTO `a``b` SELECT 2; END"}, "@a = 1", "UPDATE t SET n = 5 WHERE id = 1"},
	{"quotes before a comment's mark", onMySQL, []string{"CREATE FUNCTION f() RETURNS INT MODIFIES SQL DATA BEGIN SET @a = 'a''# b'; DELETE FROM child; RETURN 1; END"}, "@a = 1", "SELECT f()"},
	{"all escapes, and other letters", onMySQL, []string{`CREATE FUNCTION f(a INT) RETURNS INT MODIFIES SQL DATA COMMENT 'it''s' BEGIN /* it's */ SET @a = '\n\t\r\b\0\Z\_\%\a\"é日', @b = "x''""", @it= _latin1 'it''s', @c = N'it''s', @d = x'41'; DELETE FROM child; RETURN 1; END`}, "@a = 1", "SELECT f(1)"},
	{"quotes in a trigger that follows another", onMySQL, []string{"CREATE TRIGGER h AFTER UPDATE ON t FOR EACH ROW SET @a = \"'\"", "CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW FOLLOWS h BEGIN SET @a = 'it''s'; DELETE FROM child; SET @a = 'it''s'; END"}, "@a = 1", "UPDATE t SET n = 5 WHERE id = 1"},
	{"a letter that ends in a backslash", onMySQL, []string{"CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW BEGIN SET @a = 'ソ'; DELETE FROM child; SET @b = ' -- '\n; END"}, "NAMES sjis", "UPDATE t SET n = 5 WHERE id = 1"},
	{"quotes in a procedure", onMySQL, []string{`CREATE PROCEDURE p(a INT) BEGIN SET @a = 'it''s'; DELETE FROM child WHERE r = 1; SET @a = 'it''s'; END`}, "@a = 1", "CALL p(1)"},
	{"a view's name in latin1", onMySQL, []string{"CREATE FUNCTION f" + wipes, "CREATE VIEW vé AS SELECT f() AS a"}, "character_set_client = latin1", "SELECT * FROM v\xe9"},
	{"a quoted view's name in latin1", onMySQL, []string{"CREATE FUNCTION f" + wipes, "CREATE VIEW vé AS SELECT f() AS a"}, "character_set_client = latin1", "SELECT * FROM `v\xe9`"},
	{"a function's name in latin1, behind a view", onMySQL, []string{"CREATE FUNCTION fé" + wipes, "CREATE VIEW v AS SELECT fé() AS a"}, "character_set_client = latin1", "SELECT * FROM v"},
	{"a function's name in latin1, in a trigger", onMySQL, []string{"CREATE FUNCTION fé" + wipes, "CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW SET @a = fé()"}, "character_set_client = latin1", "UPDATE t SET n = 5 WHERE id = 1"},
	{"the same, INSERT", onMySQL, []string{"CREATE FUNCTION fé" + wipes, "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW SET @a = fé()"}, "character_set_client = latin1", "INSERT INTO t VALUES (77, 1)"},
	{"a table's name in latin1, in a trigger", onMySQL, []string{"CREATE TABLE é (id INT PRIMARY KEY)", "INSERT INTO é VALUES (1)", "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES é (id) ON DELETE CASCADE", "CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW DELETE FROM é WHERE id = 1"}, "character_set_client = latin1", "UPDATE t SET n = 5 WHERE id = 1"},
	{"a table's name in latin1, in a view", onMySQL, []string{"CREATE TABLE é (id INT PRIMARY KEY)", "INSERT INTO é VALUES (1)", "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES é (id) ON DELETE CASCADE", "CREATE VIEW v AS SELECT * FROM é"}, "character_set_client = latin1", "DELETE FROM v WHERE id = 1"},
	{"a function beyond the connection's set", onMySQL, []string{"CREATE FUNCTION f日" + wipes}, "character_set_connection = latin1", "SELECT f日()"},
	{"a function beyond the connection's set, in a trigger", onMySQL, []string{"CREATE FUNCTION f日" + wipes, "CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW SET @a = f日()"}, "character_set_connection = latin1", "UPDATE t SET n = 5 WHERE id = 1"},
	{"a function beyond the connection's set, in a view", onMySQL, []string{"CREATE FUNCTION f日" + wipes, "CREATE VIEW v AS SELECT f日() AS a"}, "character_set_connection = latin1", "SELECT * FROM v"},
	{"a table beyond the connection's set", onMySQL, []string{"CREATE TABLE 日 (id INT PRIMARY KEY)", "INSERT INTO 日 VALUES (1)", "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES 日 (id) ON DELETE CASCADE"}, "character_set_connection = latin1", "DELETE FROM 日 WHERE id = 1"},
	{"a table with triggers beyond the connection's set", onMySQL, []string{"CREATE TABLE 日 (id INT PRIMARY KEY)", "CREATE TRIGGER g AFTER INSERT ON 日 FOR EACH ROW DELETE FROM child"}, "character_set_connection = latin1", "INSERT INTO 日 VALUES (1)"},
	{"a table beyond the connection's set, in a trigger", onMySQL, []string{"CREATE TABLE 日 (id INT PRIMARY KEY)", "INSERT INTO 日 VALUES (1)", "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES 日 (id) ON DELETE CASCADE", "CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW DELETE FROM 日 WHERE id = 1"}, "character_set_connection = latin1", "UPDATE t SET n = 5 WHERE id = 1"},
	{"a table beyond the connection's set, in a view", onMySQL, []string{"CREATE TABLE 日 (id INT PRIMARY KEY)", "INSERT INTO 日 VALUES (1)", "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES 日 (id) ON DELETE CASCADE", "CREATE VIEW v AS SELECT * FROM 日"}, "character_set_connection = latin1", "DELETE FROM v WHERE id = 1"},
}

func TestMisread(t *testing.T) {
	for _, tt := range misread {
		t.Run(tt.name, func(t *testing.T) {
			each(t, tt.engines, func(t *testing.T, f *fixture) {
				for _, s := range tt.setup {
					f.execBare(t, f.named(t, s))
				}
				t.Cleanup(func() {
					for _, s := range []string{"DROP DATABASE IF EXISTS dbg_k", "DROP DATABASE IF EXISTS dbg_K", "DROP VIEW IF EXISTS mysql.dbg_v"} {
						_, _ = f.bare.Exec(s)
					}
				})
				c := f.conn(t)
				exec(t, c, "SET "+tt.set)
				_, err := c.ExecContext(dbguard.AtMost(t.Context(), 2), f.named(t, tt.text))
				if !errors.Is(err, dbguard.Uncountable) { // names that the session cannot spell
					require.ErrorIs(t, err, dbguard.OverLimit)
				}
				assert.Equal(t, 5, f.count(t, "child"))
			})
		})
	}
}

// named replaces DBNAME with the name of the fixture's database.
func (f *fixture) named(t *testing.T, text string) string {
	if !strings.Contains(text, "DBNAME") {
		return text
	}
	var name string
	require.NoError(t, f.bare.QueryRow("SELECT DATABASE()").Scan(&name))
	return strings.ReplaceAll(text, "DBNAME", name)
}
