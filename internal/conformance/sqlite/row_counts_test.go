// Package sqlite tests what only SQLite does: what its triggers, conflict clauses and virtual
// tables change in addition, and that every row of it is counted once.
package sqlite

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

const (
	logs     = "CREATE TRIGGER logs AFTER INSERT ON item BEGIN INSERT INTO log VALUES ('new', NEW.id); END"
	tallies  = "CREATE TRIGGER tallies AFTER INSERT ON item BEGIN UPDATE tally SET n = n + 1; END"
	counts   = "CREATE TRIGGER counts AFTER INSERT ON item BEGIN INSERT INTO counts VALUES (NEW.v, 1) ON CONFLICT DO UPDATE SET n = n + 1; END"
	latest   = "CREATE TRIGGER latest AFTER INSERT ON item BEGIN REPLACE INTO latest VALUES (1, NEW.id); END"
	empties  = "CREATE TRIGGER empties AFTER DELETE ON item BEGIN INSERT INTO log VALUES ('gone', OLD.id); DELETE FROM log WHERE n < 0; END"
	children = "CREATE TABLE child (id INTEGER PRIMARY KEY, r INT REFERENCES child ON DELETE CASCADE, b INT UNIQUE)"
)

// notes are three rows; stamped has triggers that update the row that fired them, as
// applications do to record the time.
var (
	notes   = []string{"CREATE TABLE note (id INTEGER PRIMARY KEY, v INT, at INT)", "INSERT INTO note VALUES (1, 0, 0), (2, 0, 0), (3, 0, 0)"}
	stamped = []string{
		notes[0], notes[1],
		"CREATE TRIGGER i AFTER INSERT ON note BEGIN UPDATE note SET at = 1 WHERE id = NEW.id; END",
		"CREATE TRIGGER u AFTER UPDATE OF v ON note BEGIN UPDATE note SET at = 2 WHERE rowid = OLD.rowid; END",
	}
)

// rowCounts are statements and the number of existing rows that each changes.
var rowCounts = []struct {
	name  string
	setup []string // in addition to commonTables
	text  string
	rows  int64
}{
	{"a plain INSERT", nil, "INSERT INTO item VALUES (100, 1)", 0},
	{"DEFAULT VALUES", nil, "INSERT INTO log DEFAULT VALUES", 0},
	{"an INSERT that is logged", []string{logs}, "INSERT INTO item VALUES (100, 1)", 0},
	{"an INSERT that a trigger counts", []string{tallies}, "INSERT INTO item VALUES (100, 1)", 1},
	{"an INSERT that is logged and counted", []string{logs, tallies}, "INSERT INTO item VALUES (100, 1), (101, 1)", 2},
	{"an UPDATE that leaves one row of all", []string{"CREATE TABLE u (k INT UNIQUE, v INT)", "INSERT INTO u VALUES (1, 1), (2, 2), (3, 3)"}, "UPDATE OR REPLACE u SET k = 7 WHERE v > 0", 3},
	{"INSERT OR IGNORE of what is there", []string{tallies}, "INSERT OR IGNORE INTO item VALUES (1, 1), (101, 1)", 1},
	{"INSERT … SELECT", []string{logs, tallies}, "INSERT INTO item SELECT id + 100, v FROM item WHERE id <= 3", 3},
	{"WITH … INSERT", []string{tallies}, "WITH a (i) AS (VALUES (100)) INSERT INTO item SELECT i, 0 FROM a", 1},
	{"a trigger's upsert that inserts", []string{counts}, "INSERT INTO item VALUES (100, 77)", 0},
	{"a trigger's upsert that updates", []string{counts}, "INSERT INTO item VALUES (100, 5)", 1},
	{"a trigger's REPLACE of nothing", []string{latest, "DELETE FROM latest"}, "INSERT INTO item VALUES (100, 5)", 0},
	{"a trigger's REPLACE", []string{latest}, "INSERT INTO item VALUES (100, 5)", 1},
	{"a table that replaces", []string{"CREATE TABLE u (k INT UNIQUE ON CONFLICT REPLACE)", "INSERT INTO u VALUES (1), (2)"}, "INSERT INTO u VALUES (1), (2), (3)", 2},
	{
		"an UPDATE of a table that replaces",
		[]string{"CREATE TABLE u (k INT UNIQUE ON CONFLICT REPLACE)", "INSERT INTO u VALUES (1), (2)"},
		"UPDATE u SET k = 2 WHERE k = 1", 2,
	},
	{
		"INSERT into a view whose trigger inserts",
		[]string{"CREATE VIEW w AS SELECT * FROM item", "CREATE TRIGGER i INSTEAD OF INSERT ON w BEGIN INSERT INTO item VALUES (NEW.id, NEW.v); END"},
		"INSERT INTO w VALUES (100, 0), (101, 0)", 0,
	},
	{
		"INSERT into a view whose trigger updates",
		[]string{"CREATE VIEW w AS SELECT * FROM item", "CREATE TRIGGER i INSTEAD OF INSERT ON w BEGIN UPDATE item SET v = NEW.v WHERE id <= NEW.id; END"},
		"INSERT INTO w VALUES (2, 7)", 2,
	},
	{
		"REPLACE into a view whose trigger logs",
		[]string{"CREATE VIEW w AS SELECT * FROM item", "CREATE TRIGGER i INSTEAD OF INSERT ON w BEGIN INSERT INTO log VALUES ('w', NEW.id); END"},
		"REPLACE INTO w VALUES (1, 0), (2, 0)", 0,
	},
	{
		"REPLACE into a view, which its trigger follows",
		[]string{"CREATE VIEW w AS SELECT * FROM item", "CREATE TRIGGER i INSTEAD OF INSERT ON w BEGIN INSERT INTO item VALUES (NEW.id, NEW.v); END"},
		"REPLACE INTO w VALUES (1, 5), (2, 5), (100, 5)", 2,
	},
	{
		"REPLACE into a view, of rows that are selected",
		[]string{"CREATE VIEW w AS SELECT * FROM item", "CREATE TRIGGER i INSTEAD OF INSERT ON w BEGIN UPDATE item SET v = NEW.v WHERE id = NEW.id; END"},
		"REPLACE INTO w SELECT id, 7 FROM item WHERE id <= 3", 3,
	},
	{
		"REPLACE into a view whose trigger logs rows that are selected",
		[]string{"CREATE VIEW w AS SELECT * FROM item", "CREATE TRIGGER i INSTEAD OF INSERT ON w BEGIN INSERT INTO log VALUES ('w', NEW.id); END"},
		"REPLACE INTO w SELECT id, 7 FROM item WHERE id <= 3", 0,
	},
	{
		"DELETE from a view whose trigger inserts",
		[]string{"CREATE VIEW w AS SELECT * FROM item", "CREATE TRIGGER i INSTEAD OF DELETE ON w BEGIN INSERT INTO log VALUES ('view', OLD.id); END"},
		"DELETE FROM w WHERE id <= 5", 0,
	},
	{"triggers that are ignored by another event", []string{tallies}, "UPDATE item SET v = 1 WHERE id = 1", 1},
	{"an upsert that inserts, logged", []string{logs}, "INSERT INTO item VALUES (100, 1), (101, 1), (1, 9) ON CONFLICT DO UPDATE SET v = 9", 1},
	{"an upsert that updates, counted", []string{tallies}, "INSERT INTO item VALUES (1, 9) ON CONFLICT DO UPDATE SET v = 9", 1},
	{"a REPLACE, logged", []string{logs}, "REPLACE INTO item VALUES (1, 9)", 1},
	{
		"a REPLACE that cascades into its table",
		[]string{children, "INSERT INTO child VALUES (1, NULL, 1), (2, 1, 2), (3, NULL, 3)"},
		"REPLACE INTO child VALUES (1, NULL, 3)", 3,
	},
	{"new rows that are stamped", stamped, "INSERT INTO note VALUES (7, 1, 0), (8, 1, 0), (9, 1, 0)", 0},
	{"a row that is stamped", stamped, "UPDATE note SET v = 2 WHERE id = 1", 1},
	{"rows that are stamped", stamped, "UPDATE note SET v = 2 WHERE v = 0", 3},
	{"an upsert that is stamped", stamped, "INSERT INTO note VALUES (1, 1, 0), (9, 1, 0) ON CONFLICT DO UPDATE SET v = 3", 1},
	{
		"an upsert of rows whose old versions are kept beside them",
		[]string{notes[0], notes[1], "CREATE TRIGGER o AFTER UPDATE ON note BEGIN INSERT INTO note (v, at) VALUES (OLD.id, OLD.at); END"},
		"INSERT INTO note VALUES (1, 7, 0), (2, 7, 0), (9, 7, 0) ON CONFLICT (id) DO UPDATE SET v = excluded.v", 2,
	},
	{
		"rows that are given other numbers by a list of columns",
		[]string{notes[0], notes[1], "CREATE TRIGGER o AFTER INSERT ON item BEGIN UPDATE note SET v = 7, (at, id) = (1, id + 100); INSERT INTO note (v) VALUES (1); END"},
		"INSERT INTO item VALUES (100, 1)", 3,
	},
	{
		"a stamp that names the row as it was",
		[]string{notes[0], notes[1], "CREATE TRIGGER o AFTER UPDATE OF v ON note BEGIN UPDATE note SET at = 9 WHERE id = OLD.id; END"},
		"UPDATE note SET v = 2 WHERE id <= 2", 2,
	},
	{
		"a row that is gone before it can change",
		[]string{notes[0], notes[1], "CREATE TRIGGER o BEFORE UPDATE ON note BEGIN DELETE FROM note WHERE id = OLD.id; END"},
		"UPDATE note SET v = 2 WHERE id <= 2", 2,
	},
	{
		"a stamp on a row that is another one",
		[]string{notes[0], notes[1], "CREATE TRIGGER o BEFORE UPDATE OF id ON note BEGIN UPDATE note SET at = 9 WHERE id = NEW.id - 1; END"},
		"UPDATE note SET id = 20 - id WHERE id = 1", 1,
	},
	{
		"a stamp that is not by a key",
		[]string{notes[0], notes[1], "CREATE TRIGGER o AFTER INSERT ON note BEGIN UPDATE note SET at = 9 WHERE v = NEW.v AND id <> NEW.id; END"},
		"INSERT INTO note VALUES (9, 0, 0)", 3,
	},
	{
		"new rows that go again",
		[]string{notes[0], notes[1], "CREATE TRIGGER o AFTER INSERT ON note BEGIN DELETE FROM note WHERE rowid = NEW.rowid; END"},
		"INSERT INTO note VALUES (8, 0, 0), (9, 0, 0)", 0,
	},
	{
		"OR REPLACE, which a trigger's INSERT follows",
		[]string{"CREATE TRIGGER o AFTER INSERT ON item BEGIN INSERT INTO latest VALUES (1, 9); END"},
		"INSERT OR REPLACE INTO item VALUES (100, 1)", 1,
	},
	{
		"OR REPLACE, which a trigger's UPDATE follows",
		[]string{notes[0], notes[1], "CREATE TRIGGER o AFTER UPDATE ON item BEGIN UPDATE note SET id = 2 WHERE id = 1; END"},
		"UPDATE OR REPLACE item SET v = 100 WHERE id = 1", 3,
	},
	{"rows by an index", []string{"CREATE INDEX iv ON item (v)", "UPDATE item SET v = 7 WHERE id <= 3"}, "UPDATE item SET v = 8 WHERE v = 7", 3},
	{"rows by a part of an index", []string{"CREATE INDEX iv ON item (v, id)", "UPDATE item SET v = 7 WHERE id <= 3"}, "DELETE FROM item WHERE v = 7 RETURNING id", 3},
	{"a row by a key of two", []string{"CREATE TABLE p (a, b, c, UNIQUE (b, a))", "INSERT INTO p VALUES (1, 1, 1), (1, 2, 1)"}, "UPDATE p SET c = 2 WHERE a = 1 AND b = 2", 1},
	{"rows by a half of a key", []string{"CREATE TABLE p (a, b, c, UNIQUE (b, a))", "INSERT INTO p VALUES (1, 1, 1), (1, 2, 1)"}, "UPDATE p SET c = 2 WHERE a = 1", 2},
	{"a unique column that compares otherwise", []string{"CREATE TABLE p (a COLLATE NOCASE, UNIQUE (a COLLATE BINARY))", "INSERT INTO p VALUES ('x'), ('X')"}, "DELETE FROM p WHERE a = 'x'", 2},
	{"a key with a partial index", []string{"CREATE TABLE p (a, b)", "CREATE UNIQUE INDEX u ON p (a) WHERE b", "INSERT INTO p VALUES (1, 0), (1, 0)"}, "DELETE FROM p WHERE a = 1", 2},
	{
		"a trigger that keeps most rows",
		[]string{"CREATE TRIGGER k BEFORE DELETE ON item BEGIN SELECT RAISE(IGNORE) WHERE OLD.id > 2; END"},
		"DELETE FROM item WHERE id < 40", 2,
	},
	{"a trigger that inserts and deletes", []string{empties, "INSERT INTO log VALUES ('x', -1)"}, "DELETE FROM item WHERE id <= 2", 3},
	{
		"a cascade and a log",
		[]string{
			children, "INSERT INTO child VALUES (1, NULL, 1), (2, 1, 2), (3, 2, 3)",
			"CREATE TRIGGER d AFTER DELETE ON child BEGIN INSERT INTO log VALUES ('child', OLD.id); END",
		},
		"DELETE FROM child WHERE id = 1", 3,
	},
	{
		"a WITHOUT ROWID log of two columns",
		[]string{
			"CREATE TABLE l (a INT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID", tallies,
			"CREATE TRIGGER l AFTER INSERT ON item BEGIN INSERT INTO l VALUES (NEW.id, 1), (NEW.id, 2); END",
		},
		"INSERT INTO item VALUES (100, 1)", 1,
	},
	{"a full-text table", []string{"CREATE VIRTUAL TABLE ft USING fts (body)"}, "INSERT INTO ft VALUES ('some words')", 0},
	{
		"a full-text table is kept up", []string{
			"CREATE VIRTUAL TABLE ft USING fts (body)",
			"CREATE TRIGGER f AFTER INSERT ON item BEGIN INSERT INTO ft VALUES ('v' || NEW.v); END",
		}, "INSERT INTO item VALUES (100, 1)", 0,
	},
	{"rows of a full-text table", []string{"CREATE VIRTUAL TABLE ft USING fts (body)", "INSERT INTO ft VALUES ('a'), ('b'), ('c')"}, "DELETE FROM ft WHERE rowid <= 2", 2},
	{"a row and its place in a full-text table", ftsByRowid, "DELETE FROM item WHERE id = 1", 2},
	{"rows and their places in a full-text table", ftsByRowid, "DELETE FROM item WHERE id <= 3", 6},
	{"a row and its text", ftsByRowid, "UPDATE item SET v = 5 WHERE id = 1", 2},
	{"rows and their texts", ftsByRowid, "UPDATE item SET v = 5 WHERE id <= 3", 6},
	{"a place that is taken and given anew", ftsReinserted, "UPDATE item SET v = 5 WHERE id = 1", 2},
	{"a place that is replaced", []string{
		ftsByRowid[0], ftsByRowid[1], "CREATE TRIGGER r AFTER UPDATE ON item BEGIN INSERT OR REPLACE INTO ft (rowid, body) VALUES (NEW.id, NEW.v); END",
	}, "UPDATE item SET v = 5 WHERE id <= 2", 4},
	{
		"a cascade to rows that are in a full-text table", append(ftsByRowid[:2:2],
			"CREATE TABLE post (id INTEGER PRIMARY KEY, r INT REFERENCES item ON DELETE CASCADE)",
			"INSERT INTO post SELECT id, (id + 9) / 10 FROM item",
			"CREATE TRIGGER d AFTER DELETE ON post BEGIN DELETE FROM ft WHERE rowid = OLD.id; END",
		), "DELETE FROM item WHERE id = 1", 21,
	},
	{
		"rows that a rectangle is kept of", []string{
			"CREATE VIRTUAL TABLE box USING rtree (id, a, b)", "INSERT INTO box SELECT id, v, v + 1 FROM item",
			"CREATE TRIGGER d AFTER DELETE ON item BEGIN DELETE FROM box WHERE id = OLD.id; END",
			"CREATE TRIGGER u AFTER UPDATE ON item BEGIN UPDATE box SET a = NEW.v, b = NEW.v WHERE id = NEW.id; END",
		}, "UPDATE item SET v = 5 WHERE id <= 3", 6,
	},
	{"a row and its text, by an upsert", ftsByRowid, "INSERT INTO item (id, v) VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET v = excluded.v", 2},
	{"rows, of which some are new, by an upsert", ftsByRowid, "INSERT INTO item (id, v) VALUES (1, 5), (2, 5), (91, 5) ON CONFLICT (id) DO UPDATE SET v = 5", 4},
	{"a row that is replaced, and its text with it", ftsByRowid, "REPLACE INTO item (id, v) VALUES (1, 5)", 2},
}

// ftsByRowid and ftsReinserted are full-text tables that triggers maintain, as in SQLite's
// manual.
var (
	ftsByRowid = []string{
		"CREATE VIRTUAL TABLE ft USING fts (body)", "INSERT INTO ft (rowid, body) SELECT id, 'some words of ' || id FROM item",
		"CREATE TRIGGER d BEFORE DELETE ON item BEGIN DELETE FROM ft WHERE rowid = OLD.id; END",
		"CREATE TRIGGER u AFTER UPDATE ON item BEGIN UPDATE ft SET body = NEW.v WHERE rowid = OLD.rowid; END",
		"CREATE TRIGGER i AFTER INSERT ON item BEGIN INSERT INTO ft (rowid, body) VALUES (NEW.id, NEW.v); END",
	}
	ftsReinserted = []string{
		ftsByRowid[0], ftsByRowid[1],
		"CREATE TRIGGER b BEFORE UPDATE ON item BEGIN DELETE FROM ft WHERE rowid = OLD.id; END",
		"CREATE TRIGGER u AFTER UPDATE ON item BEGIN INSERT INTO ft (rowid, body) VALUES (NEW.id, NEW.v); END",
	}
)

// ftsModule is the module for full text that each driver is built with.
var ftsModule = map[string]string{"sqlite": "fts5", "sqlite3": "fts4"}

// commonTables are the tables that triggers reach.
var commonTables = []string{
	"CREATE TABLE log (what TEXT, n INT)", "CREATE TABLE tally (n INT)", "INSERT INTO tally VALUES (0)",
	"CREATE TABLE counts (k INT PRIMARY KEY, n INT)", "INSERT INTO counts VALUES (5, 1), (6, 1)",
	"CREATE TABLE latest (k INT PRIMARY KEY, id INT)", "INSERT INTO latest VALUES (1, 50)",
}

// Each passes with a bound of its number of rows; where that is none, an INSERT passes without
// a bound. With one less it is refused, and nothing has changed.
func TestCount(t *testing.T) {
	for _, tt := range rowCounts {
		for _, inTx := range []bool{false, true} {
			name := tt.name
			if inTx {
				name += ", in a transaction"
			}
			t.Run(name, func(t *testing.T) {
				stage.Each(t, func(t *testing.T, s *stage.Stage) {
					for _, text := range append(commonTables, tt.setup...) {
						s.Exec(t, strings.Replace(text, "USING fts", "USING "+ftsModule[s.Driver], 1))
					}
					for range 2 { // cold, then with what is cached
						before := checksum(t, s)
						if tt.rows > 0 {
							require.ErrorIs(t, send(dbguard.AtMost(t.Context(), tt.rows-1), s, inTx, tt.text), dbguard.OverLimit)
							require.ErrorIs(t, send(t.Context(), s, inTx, tt.text), dbguard.Unbounded)
							require.Equal(t, before, checksum(t, s))
						}
					}
					ctx := t.Context()
					if tt.rows > 0 || !strings.Contains(tt.text, "INSERT") {
						ctx = dbguard.AtMost(ctx, tt.rows)
					}
					require.NoError(t, send(ctx, s, inTx, tt.text))
				}, target.SQLite)
			})
		}
	}
}

// What is behind a statement is bounded only by rows that triggers name one by one: these
// change more rows than it seems.
func TestFullTextTriggersThatDeleteMore(t *testing.T) {
	for name, setup := range map[string][]string{
		"what matches":     {"CREATE TRIGGER x AFTER DELETE ON item BEGIN DELETE FROM ft WHERE ft MATCH 'words'; END"},
		"rows below one":   {"CREATE TRIGGER x AFTER DELETE ON item BEGIN DELETE FROM ft WHERE rowid > OLD.id; END"},
		"another column":   {"CREATE TRIGGER x AFTER DELETE ON item BEGIN DELETE FROM ft WHERE other = OLD.v; END"},
		"of another table": {"CREATE TRIGGER x AFTER DELETE ON item BEGIN DELETE FROM ft WHERE rowid = OLD.id; UPDATE tally SET n = 1; UPDATE counts SET n = 5; END"},
		"rows that stay": {
			"CREATE TRIGGER x BEFORE DELETE ON item BEGIN DELETE FROM ft WHERE rowid = OLD.id; SELECT RAISE(IGNORE); END",
			"INSERT INTO item VALUES (-1, 0), (-2, 0)", "INSERT INTO ft (rowid, body, other) VALUES (-1, '', 0), (-2, '', 0)",
		},
		"by way of a log": {
			"CREATE TRIGGER x AFTER DELETE ON item BEGIN DELETE FROM ft WHERE rowid = OLD.id; INSERT INTO log VALUES ('a', 1); END",
			"CREATE TRIGGER y AFTER INSERT ON log BEGIN DELETE FROM ft WHERE rowid < 10; END",
		},
	} {
		t.Run(name, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				for _, text := range slices.Concat(commonTables, []string{"CREATE VIRTUAL TABLE ft USING fts (body, other)", "INSERT INTO ft (rowid, body, other) SELECT id, 'words', 0 FROM item"}, setup) {
					s.Exec(t, strings.Replace(text, "USING fts", "USING "+ftsModule[s.Driver], 1))
				}
				before := s.Int(t, "SELECT count(*) FROM ft")
				require.ErrorIs(t, send(dbguard.AtMost(t.Context(), 2), s, false, "DELETE FROM item WHERE id <= 1"), dbguard.OverLimit)
				assert.Equal(t, before, s.Int(t, "SELECT count(*) FROM ft"))
			}, target.SQLite)
		})
	}
}

// checksum is a number in which any change of a row shows.
func checksum(t *testing.T, s *stage.Stage) (n int) {
	for _, table := range []string{"item", "log", "tally", "counts", "latest"} {
		n = n*31 + s.Int(t, "SELECT count(*) FROM "+table)
	}
	return n*31 + s.Int(t, "SELECT sum(v) FROM item") + s.Int(t, "SELECT sum(n) FROM tally")
}

// send runs a text, and in a transaction a harmless one around it.
func send(ctx context.Context, s *stage.Stage, inTx bool, text string) error {
	if !inTx {
		_, err := s.DB.ExecContext(ctx, text)
		return err
	}
	tx, err := s.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "INSERT INTO log VALUES ('before', 1)"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, text); err != nil {
		return err
	}
	return tx.Commit()
}

// longText is longer than what is reported of a text.
var longText = strings.Repeat("INSERT INTO item (v) VALUES (1); ", 100) +
	"CREATE TRIGGER o AFTER INSERT ON item BEGIN DELETE FROM latest; END; INSERT INTO item (v) VALUES (1)"

// A long text in a transaction that has seen that INSERTs do nothing but add rows.
func TestLongTextsInATransaction(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, text := range commonTables {
			s.Exec(t, text)
		}
		require.ErrorIs(t, send(t.Context(), s, true, longText), dbguard.ErrRefused)
		assert.Equal(t, 1, s.Int(t, "SELECT count(*) FROM latest"))
	}, target.SQLite)
}

// A text may create the trigger that it fires, and the table that it fills.
func TestTextsThatCreateTheirTrigger(t *testing.T) {
	for name, tt := range map[string]struct {
		text, table string
		rows        int // of it afterwards
		refused     error
	}{
		"a trigger":                         {"CREATE TRIGGER o AFTER INSERT ON item BEGIN DELETE FROM latest; END; INSERT INTO item VALUES (100, 0)", "latest", 1, dbguard.Stacked},
		"a temporary one on a quoted table": {`CREATE TEMP TRIGGER IF NOT EXISTS main AFTER INSERT ON main."item" BEGIN DELETE FROM latest; END; INSERT INTO item VALUES (100, 0)`, "latest", 1, dbguard.Stacked},
		"a trigger that logs":               {"CREATE TRIGGER o AFTER INSERT ON item BEGIN INSERT INTO log VALUES ('new', NEW.id); END; INSERT INTO item VALUES (100, 0)", "log", 1, nil},
		"a table":                           {"BEGIN; CREATE TABLE made (id INTEGER PRIMARY KEY); INSERT INTO made VALUES (1), (2); COMMIT", "made", 2, nil},
		"a trigger behind all INSERTs":      {"BEGIN; INSERT INTO item VALUES (100, 0); CREATE TRIGGER o AFTER INSERT ON item BEGIN DELETE FROM latest; END; COMMIT", "latest", 1, nil},
		"two triggers":                      {"CREATE TRIGGER o AFTER INSERT ON item BEGIN INSERT INTO log VALUES (CASE WHEN 1 THEN 'new' END, 1); END; CREATE TRIGGER p AFTER DELETE ON item BEGIN DELETE FROM latest; END; INSERT INTO item VALUES (100, 0)", "log", 1, nil},
		"two triggers, the second deletes":  {"BEGIN; CREATE TRIGGER o AFTER INSERT ON item BEGIN INSERT INTO log VALUES ('new', 1); END; CREATE TRIGGER p AFTER INSERT ON log BEGIN DELETE FROM latest; END; INSERT INTO item VALUES (100, 0); COMMIT", "latest", 1, dbguard.Uncountable},
		"a trigger far behind":              {"BEGIN; " + longText + "; COMMIT", "latest", 1, dbguard.Uncountable},
		"a table and a trigger":             {"BEGIN; CREATE TABLE made (id INT); CREATE TRIGGER o AFTER INSERT ON made BEGIN DELETE FROM latest; END; INSERT INTO made VALUES (1); COMMIT", "latest", 1, dbguard.Uncountable},
	} {
		t.Run(name, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				for _, text := range commonTables {
					s.Exec(t, text)
				}
				_, err := s.DB.ExecContext(dbguard.AtMost(t.Context(), 0), tt.text)
				require.ErrorIs(t, err, tt.refused)
				assert.Equal(t, tt.rows, s.Int(t, "SELECT count(*) FROM "+tt.table))
			}, target.SQLite)
		})
	}
}
