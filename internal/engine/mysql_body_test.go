package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

func TestReadBody(t *testing.T) {
	tests := []struct {
		name, body string
		changes    []bodyChange
		calls      [][]string
		procs      [][]string
		opaque     string
	}{
		{
			name: "one statement", body: "DELETE FROM c WHERE x = OLD.id",
			changes: []bodyChange{{sqlscan.Delete, []string{"c"}}},
		},
		{name: "only a value", body: "SET NEW.v = 3"},
		{
			name: "several statements", body: "BEGIN DELETE FROM s.c WHERE x=OLD.id; INSERT INTO lg VALUES (OLD.id); SET NEW.v = 3; END",
			changes: []bodyChange{{sqlscan.Delete, []string{"s", "c"}}, {sqlscan.Insert, []string{"lg"}}},
		},
		{
			name: "a condition", body: "BEGIN IF NEW.v > CASE WHEN 1 THEN 2 ELSE 3 END THEN UPDATE c SET v=1; ELSEIF 1 THEN BEGIN END; ELSE DELETE FROM d; END IF; END",
			changes: []bodyChange{{sqlscan.Update, []string{"c"}}, {sqlscan.Delete, []string{"d"}}},
		},
		{
			name: "loops and labels", body: "l: BEGIN DECLARE x INT DEFAULT 0; a: WHILE x < 3 DO DELETE FROM c WHERE id = x; SET x = x + 1; END WHILE a; REPEAT UPDATE d SET v = 1; UNTIL 1 END REPEAT; m: LOOP LEAVE m; END LOOP; END",
			changes: []bodyChange{{sqlscan.Delete, []string{"c"}}, {sqlscan.Update, []string{"d"}}},
		},
		{
			name: "a handler's statement", body: "BEGIN DECLARE CONTINUE HANDLER FOR SQLSTATE '23000', NOT FOUND DELETE FROM c; DECLARE k CURSOR FOR SELECT 1; REPLACE INTO d VALUES (1); END",
			changes: []bodyChange{{sqlscan.Delete, []string{"c"}}, {sqlscan.Replace, []string{"d"}}},
		},
		{
			name: "a handler's block", body: "BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN DELETE FROM c; END; SET @a = 1; END",
			changes: []bodyChange{{sqlscan.Delete, []string{"c"}}},
		},
		{
			name: "names like words of control flow", body: "until: BEGIN DECLARE x, handler INT; DELETE FROM c; END",
			changes: []bodyChange{{sqlscan.Delete, []string{"c"}}},
		},
		{
			name: "a cursor on something called handler", body: "BEGIN DECLARE k CURSOR FOR SELECT 1 FROM d handler; DELETE FROM c; END",
			changes: []bodyChange{{sqlscan.Delete, []string{"c"}}},
		},
		{name: "a setting around a statement", body: `SET STATEMENT sql_mode = '' FOR DELETE FROM c WHERE 'a' = "a"`, opaque: "cannot be read"},
		{name: "an end of the transaction by an expression", body: "SET autocommit = (SELECT 1)", opaque: "cannot be read"},
		{name: "letters that were not told", body: "SET @a = ???(1)", opaque: "cannot be read"},
		{
			name: "columns called like words of control flow", body: "BEGIN IF NEW.case > 1 OR NEW.`case` > 1 THEN DELETE FROM c; END IF; CASE OLD.case WHEN 1 THEN DELETE FROM d; END CASE; WHILE (SELECT n.do FROM n) DO DELETE FROM e; END WHILE; END",
			changes: []bodyChange{{sqlscan.Delete, []string{"c"}}, {sqlscan.Delete, []string{"d"}}, {sqlscan.Delete, []string{"e"}}},
		},
		{
			name: "functions in conditions and values", body: "BEGIN IF f(1) THEN SET @x = s.`g`(2); END IF; RETURN COUNT(1); END",
			calls: [][]string{{"f"}, {"s", "g"}},
		},
		{name: "a procedure", body: "BEGIN CALL p(1); END", procs: [][]string{{"p"}}},
		{name: "a commit", body: "BEGIN DELETE FROM t; COMMIT; END", changes: []bodyChange{{sqlscan.Delete, []string{"t"}}}, opaque: "changes structure, settings or the transaction"},
		{name: "structure", body: "BEGIN TRUNCATE t; END", opaque: "changes structure, settings or the transaction"},
		{name: "a table of a query, which commits", body: "BEGIN DELETE FROM t; CREATE TABLE z AS SELECT 1; END", changes: []bodyChange{{sqlscan.Delete, []string{"t"}}, {sqlscan.Insert, []string{"z"}}}, opaque: "changes structure, settings or the transaction"},
		{
			name: "temporary tables", body: "BEGIN DROP TEMPORARY TABLE IF EXISTS z; CREATE TEMPORARY TABLE z AS SELECT 1; CREATE TEMPORARY TABLE y (a INT); DELETE FROM t; DROP TEMPORARY TABLE z, y; END",
			changes: []bodyChange{{sqlscan.Insert, []string{"z"}}, {sqlscan.Delete, []string{"t"}}},
		},
		{name: "a temporary table that may not be one", body: "BEGIN DROP TABLE z; END", opaque: "changes structure, settings or the transaction"},
		{name: "locked tables", body: "LOCK TABLES t WRITE", opaque: "changes structure, settings or the transaction"},
		{name: "a protection off", body: "BEGIN SET foreign_key_checks = 0; END", opaque: "changes structure, settings or the transaction"},
		{name: "a prepared text", body: "BEGIN PREPARE p FROM 'DELETE FROM t'; EXECUTE p; END", opaque: "runs code that is elsewhere"},
		{name: "not SQL that is known", body: "BEGIN FROBNICATE t; END", opaque: "cannot be read"},
		{name: "a comment that only some servers run", body: "IF 1 THEN /*!80000 SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = */ COMMIT; END IF", opaque: "has a comment that only some servers run"},
		{name: "a condition named VALUE", body: "BEGIN DECLARE EXIT HANDLER FOR VALUE, NOT FOUND, SQLSTATE VALUE '45000', SQLSTATE '45001', VALUE COMMIT; SELECT 1; END", opaque: commitsNote},
		{name: "CASE of a CASE", body: "CASE CASE WHEN 1 THEN close END WHEN 1 THEN DELETE FROM t; END CASE", changes: []bodyChange{{sqlscan.Delete, []string{"t"}}}},
		{name: "a variable named END", body: "IF CASE WHEN end = 1 THEN close END THEN DELETE FROM t; END IF", opaque: "cannot be read"},
		{name: "a variable named DO", body: "WHILE NOT do DO DELETE FROM t; END WHILE", opaque: "cannot be read"},
		{name: "columns named like keywords", body: "WHILE (SELECT do close FROM a) DO DELETE FROM t; END WHILE", changes: []bodyChange{{sqlscan.Delete, []string{"t"}}}},
		{name: "what may be names, and is not", body: "BEGIN DECLARE c CURSOR (a INT) FOR SELECT a; OPEN c(1); CLOSE c; GET DIAGNOSTICS CONDITION 1 @a = MESSAGE_TEXT; l: REPEAT DELETE FROM t; UNTIL 1 END REPEAT l; END", changes: []bodyChange{{sqlscan.Delete, []string{"t"}}}},
		{name: "a temporary sequence", body: "CREATE TEMPORARY SEQUENCE s", opaque: commitsNote},
		{name: "an open string", body: "BEGIN DELETE FROM t WHERE a = 'x; END", opaque: "cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := readBody(tt.body, "")
			assert.Equal(t, tt.opaque, b.opaque)
			assert.Equal(t, tt.changes, b.changes)
			assert.Equal(t, tt.procs, b.procs)
			for _, c := range tt.calls {
				assert.Contains(t, b.calls, c)
			}
		})
	}
}

func TestBlockOf(t *testing.T) {
	const opaque = "nothing that can be read"
	deletes := []bodyChange{{sqlscan.Delete, []string{"t"}}}
	tests := []struct {
		name, text string
		changes    []bodyChange
		opaque     string
	}{
		{"a compound statement", "BEGIN NOT ATOMIC DELETE FROM t WHERE id = 1; END; -- done", deletes, ""},
		{"one behind a comment", "/* a */ IF a THEN DELETE FROM t; END IF", deletes, ""},
		{"one in a comment", "/*! IF a THEN DELETE FROM t; END IF */", deletes, ""},
		{"one that commits", "LOOP DELETE FROM t; COMMIT; END LOOP", deletes, "changes structure, settings or the transaction"},
		{"one with parameters", "IF ? THEN DELETE FROM t; END IF", nil, "cannot be read"},
		{"a literal", "EXECUTE IMMEDIATE 'DELETE FROM t WHERE a = ''x''';", deletes, ""},
		{"a literal with parameters", "EXECUTE IMMEDIATE 'DELETE FROM t WHERE id = ?' USING 1", deletes, ""},
		{"a literal that commits", "EXECUTE IMMEDIATE 'BEGIN NOT ATOMIC DELETE FROM t; COMMIT; END'", deletes, "changes structure, settings or the transaction"},
		{"a literal with SHOW STATUS", "EXECUTE IMMEDIATE 'BEGIN NOT ATOMIC DELETE FROM t; SHOW STATUS; END'", deletes, "has a SHOW STATUS, of which the server counts nothing"},
		{"a literal with a comment that only some servers run", "EXECUTE IMMEDIATE 'IF 1 THEN /*!80000 DECLARE a INT DEFAULT */ COMMIT; END IF'", nil, "has a comment that only some servers run"},
		{"two literals", "EXECUTE IMMEDIATE 'SELECT 1' '; DELETE FROM t'", nil, opaque},
		{"a literal with an escape", `EXECUTE IMMEDIATE 'DELETE FROM t WHERE a = \'x'`, nil, opaque},
		{"an expression", "EXECUTE IMMEDIATE 'SELECT 1' || @a", nil, opaque},
		{"a literal in a comment", "/*! EXECUTE IMMEDIATE 'DELETE FROM t' */", nil, opaque},
		{"a name", "EXECUTE p USING @a", nil, opaque},
		{"two statements", "IF a THEN DELETE FROM t; END IF; DELETE FROM t", nil, opaque},
		{"a literal that reads", "EXECUTE IMMEDIATE 'SELECT a FROM w'", nil, opaque},
		{"a call", "CALL p()", nil, opaque},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var text sqlscan.Text
			sqlscan.Classify(&text, tt.text, sqlscan.MySQL, sqlscan.MySQL.DefaultMode())
			b := blockOf(&text)
			if b == nil {
				b = &routineBody{opaque: opaque}
			}
			assert.Equal(t, tt.opaque, b.opaque)
			assert.Equal(t, tt.changes, b.changes)
		})
	}
}

// Even if a body is split wrongly no statement may be lost: whatever surrounds the
// DELETE, it is found or the body is opaque.
func FuzzReadBody(f *testing.F) {
	for _, s := range []string{"", "BEGIN", "IF a THEN", "l: LOOP", "DECLARE EXIT HANDLER FOR 1", "SET NEW.x = 1;", "CASE a WHEN 1 THEN", "WHILE a DO", "ELSE"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, before string) {
		readBody(before, "") // ends, and does not panic
		b := readBody("BEGIN SELECT 1; DELETE FROM victim; END; "+before, "")
		if b.opaque == "" && len(b.changes) == 0 {
			t.Errorf("lost in %q", before)
		}
	})
}

func TestUndoEntriesAreThoseOfTheOpenTransaction(t *testing.T) {
	const status = `
LATEST FOREIGN KEY ERROR
TRANSACTION 17, ACTIVE 0 sec inserting
3 lock struct(s), heap size 1128, 2 row lock(s), undo log entries 9
MariaDB thread id 45, OS thread handle 1, query id 2 root
------------
TRANSACTIONS
------------
LIST OF TRANSACTIONS FOR EACH SESSION:
---TRANSACTION (0x7f82288f1b80), not started
0 lock struct(s), heap size 1128, 0 row lock(s)
---TRANSACTION 1738, ACTIVE 0 sec
12 lock struct(s), heap size 1128, 19 row lock(s), undo log entries 4
MariaDB thread id 4, OS thread handle 2, query id 3 root
---TRANSACTION 1740, ACTIVE 0 sec
12 lock struct(s), heap size 1128, 19 row lock(s), undo log entries 7
MariaDB thread id 45, OS thread handle 1, query id 4 root starting
SHOW ENGINE INNODB STATUS
--------
FILE I/O
`
	for thread, want := range map[string]int64{" thread id 45,": 7, " thread id 4,": 4, " thread id 5,": 0} {
		got, err := parseUndoEntries(status, thread)
		assert.NoError(t, err)
		assert.Equal(t, want, got, thread)
	}
	_, err := parseUndoEntries("... truncated...", " thread id 4,")
	assert.Error(t, err)
}
