// Package sqlite holds what only SQLite does: what its triggers, conflicts and
// virtual tables change besides, and that every row of it is counted once.
package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

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

// notes are three rows, and stamped has triggers that touch the row that set them
// off, as applications do to note the time.
var (
	notes   = []string{"CREATE TABLE note (id INTEGER PRIMARY KEY, v INT, at INT)", "INSERT INTO note VALUES (1, 0, 0), (2, 0, 0), (3, 0, 0)"}
	stamped = []string{
		notes[0], notes[1],
		"CREATE TRIGGER i AFTER INSERT ON note BEGIN UPDATE note SET at = 1 WHERE id = NEW.id; END",
		"CREATE TRIGGER u AFTER UPDATE OF v ON note BEGIN UPDATE note SET at = 2 WHERE rowid = OLD.rowid; END",
	}
)

// counted are statements and the number of existing rows that each changes.
var counted = []struct {
	name  string
	setup []string // besides the tables that all have
	text  string
	rows  int64
}{
	{"a plain INSERT", nil, "INSERT INTO item VALUES (100, 1)", 0},
	{"DEFAULT VALUES", nil, "INSERT INTO log DEFAULT VALUES", 0},
	{"an INSERT that is logged", []string{logs}, "INSERT INTO item VALUES (100, 1)", 0},
	{"an INSERT that a trigger counts", []string{tallies}, "INSERT INTO item VALUES (100, 1)", 1},
	{"an INSERT that is logged and counted", []string{logs, tallies}, "INSERT INTO item VALUES (100, 1), (101, 1)", 2},
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
}

// fullText is the module for it that each driver is built with.
var fullText = map[string]string{"sqlite": "fts5", "sqlite3": "fts4"}

// common are the tables that triggers reach.
var common = []string{
	"CREATE TABLE log (what TEXT, n INT)", "CREATE TABLE tally (n INT)", "INSERT INTO tally VALUES (0)",
	"CREATE TABLE counts (k INT PRIMARY KEY, n INT)", "INSERT INTO counts VALUES (5, 1), (6, 1)",
	"CREATE TABLE latest (k INT PRIMARY KEY, id INT)", "INSERT INTO latest VALUES (1, 50)",
}

// Each passes within a bound of its number of rows, whether or not a bound is
// said where that is none; not with one less, and then nothing has happened.
func TestCount(t *testing.T) {
	for _, tt := range counted {
		for _, inTx := range []bool{false, true} {
			name := tt.name
			if inTx {
				name += ", in a transaction"
			}
			t.Run(name, func(t *testing.T) {
				stage.Each(t, func(t *testing.T, s *stage.Stage) {
					for _, text := range append(common, tt.setup...) {
						s.Exec(t, strings.Replace(text, "USING fts", "USING "+fullText[s.Driver], 1))
					}
					for range 2 { // cold, and with what is remembered
						before := state(t, s)
						if tt.rows > 0 {
							require.ErrorIs(t, send(dbguard.AtMost(t.Context(), tt.rows-1), s, inTx, tt.text), dbguard.OverLimit)
							require.ErrorIs(t, send(t.Context(), s, inTx, tt.text), dbguard.Unbounded)
							require.Equal(t, before, state(t, s))
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

// state is a number that any change of a row shows in.
func state(t *testing.T, s *stage.Stage) (n int) {
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

// A text may make the trigger that it sets off, and the table that it fills.
func TestTextsThatMakeTheirOwn(t *testing.T) {
	for name, tt := range map[string]struct {
		text, table string
		rows        int // of it afterwards
		refused     error
	}{
		"a trigger":                         {"CREATE TRIGGER o AFTER INSERT ON item BEGIN DELETE FROM latest; END; INSERT INTO item VALUES (100, 0)", "latest", 1, dbguard.Stacked},
		"a temporary one on a quoted table": {`CREATE TEMP TRIGGER IF NOT EXISTS main AFTER INSERT ON main."item" BEGIN DELETE FROM latest; END; INSERT INTO item VALUES (100, 0)`, "latest", 1, dbguard.Stacked},
		"a trigger that logs":               {"CREATE TRIGGER o AFTER INSERT ON item BEGIN INSERT INTO log VALUES ('new', NEW.id); END; INSERT INTO item VALUES (100, 0)", "log", 1, nil},
		"a table":                           {"BEGIN; CREATE TABLE made (id INTEGER PRIMARY KEY); INSERT INTO made VALUES (1), (2); COMMIT", "made", 2, nil},
		"a table and a trigger":             {"BEGIN; CREATE TABLE made (id INT); CREATE TRIGGER o AFTER INSERT ON made BEGIN DELETE FROM latest; END; INSERT INTO made VALUES (1); COMMIT", "latest", 1, dbguard.Uncountable},
	} {
		t.Run(name, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				for _, text := range common {
					s.Exec(t, text)
				}
				_, err := s.DB.ExecContext(dbguard.AtMost(t.Context(), 0), tt.text)
				require.ErrorIs(t, err, tt.refused)
				assert.Equal(t, tt.rows, s.Int(t, "SELECT count(*) FROM "+tt.table))
			}, target.SQLite)
		})
	}
}

// What the caller is told of an INSERT is what the driver says.
func TestInsertAnswers(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, text := range append(common, tallies, logs) {
			s.Exec(t, text)
		}
		ctx := dbguard.AtMost(t.Context(), 2)
		answers := func(db *sql.DB) (ids, rows []int64) {
			tx, err := db.BeginTx(ctx, nil)
			require.NoError(t, err)
			defer tx.Rollback()
			for _, text := range []string{
				"INSERT INTO item (v) VALUES (1)", "INSERT INTO log VALUES ('x', 1), ('y', 2)", "INSERT INTO log VALUES ('x', 1)",
				"INSERT OR IGNORE INTO item VALUES (1, 1)", "UPDATE item SET v = 1 WHERE id = 2", "DELETE FROM item WHERE id = 2",
			} {
				res, err := tx.ExecContext(ctx, text)
				require.NoError(t, err, text)
				id, err := res.LastInsertId()
				require.NoError(t, err)
				n, err := res.RowsAffected()
				require.NoError(t, err)
				ids, rows = append(ids, id), append(rows, n)
			}
			var id int64
			require.NoError(t, tx.QueryRowContext(ctx, "INSERT INTO item (v) VALUES (3) RETURNING id").Scan(&id))
			_, err = tx.ExecContext(ctx, "INSERT INTO item VALUES (1, 1)")
			assert.ErrorContains(t, err, "UNIQUE constraint failed: item.id")
			return append(ids, id), rows
		}
		ids, rows := answers(s.Bare)
		for range 2 {
			gotIDs, gotRows := answers(s.DB)
			assert.Equal(t, ids, gotIDs)
			assert.Equal(t, rows, gotRows)
		}
	}, target.SQLite)
}

// The arguments of a statement stay where they are, whatever is put into it.
func TestArguments(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		s.Exec(t, "CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT, b INT)")
		s.Exec(t, "CREATE INDEX pa ON p (a)")
		for _, texts := range [][]string{
			{"UPDATE p SET b = ? WHERE a = ?", "UPDATE p SET b = ? WHERE a = ? AND id >= 0", "UPDATE p SET b = ? WHERE a = ? RETURNING id"},
			{"UPDATE p SET b = $1 WHERE a = $2", "UPDATE p SET b = ?1 WHERE a = ?2", "UPDATE p SET b = ?1 WHERE a = ?2 AND id > -1"},
		} {
			for _, text := range texts {
				for round := range 3 {
					s.Exec(t, "DELETE FROM p")
					s.Exec(t, "INSERT INTO p (a, b) VALUES ('x', 0), ('x', 0), ('y', 0), (NULL, 0)")
					stmt, err := s.DB.PrepareContext(t.Context(), text)
					require.NoError(t, err)
					_, err = stmt.ExecContext(dbguard.AtMost(t.Context(), 1), 5, "x")
					require.ErrorIs(t, err, dbguard.OverLimit, text)
					_, err = s.DB.ExecContext(dbguard.AtMost(t.Context(), 2), text, 3, "x")
					require.NoError(t, err, text)
					_, err = stmt.ExecContext(dbguard.AtMost(t.Context(), 1), 5, "y")
					require.NoError(t, err, text)
					rows, err := s.DB.QueryContext(dbguard.AtMost(t.Context(), 2), text, 4, "x")
					require.NoError(t, err, text)
					for rows.Next() {
					}
					require.NoError(t, rows.Err())
					require.NoError(t, rows.Close())
					require.NoError(t, stmt.Close())
					assert.Equal(t, 13, s.Int(t, "SELECT sum(b) FROM p"), "%s, round %d", text, round)
				}
			}
		}
	}, target.SQLite)
}

// SQLite folds the letters of ASCII, and no others.
func TestNames(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, text := range []string{
			`CREATE TABLE "ÄPFEL" (id INTEGER PRIMARY KEY)`, `CREATE TABLE "äpfel" (id INTEGER PRIMARY KEY)`,
			`CREATE TRIGGER "Ä" AFTER INSERT ON "ÄPFEL" BEGIN UPDATE item SET v = 1; END`,
			`CREATE TABLE "it's, ""odd""" (id INTEGER PRIMARY KEY)`, `INSERT INTO "it's, ""odd""" VALUES (1), (2), (3)`,
			`CREATE TRIGGER o AFTER INSERT ON "IT'S, ""ODD""" BEGIN DELETE FROM "It's, ""Odd""" WHERE id < 3; END`,
		} {
			s.Exec(t, text)
		}
		insert := func(text string) error {
			_, err := s.DB.ExecContext(t.Context(), text)
			return err
		}
		require.ErrorIs(t, insert(`INSERT INTO "ÄpFel" VALUES (1)`), dbguard.Unbounded)
		require.NoError(t, insert(`INSERT INTO "äPFEL" VALUES (1)`))
		require.ErrorIs(t, insert(`INSERT INTO [IT'S, "odd"] VALUES (9)`), dbguard.Unbounded)
		require.ErrorContains(t, insert(`INSERT INTO "it's, ""odd""" VALUES (9)`), "2 rows of it's, \"odd\"")
		assert.Equal(t, stage.Untouched, s.Item(t))
	}, target.SQLite)
}

// What is inserted is what would be without a guard, to the type of each value.
func TestInsertedValues(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		values := []any{
			int64(7), 7.0, 7.5, "7", "7.0", " 7", "x", []byte("7"), []byte{0, 255}, nil, true, int64(1) << 60, "", time.Unix(7, 0).UTC(),
		}
		for _, table := range []string{"bare", "guarded"} {
			s.Exec(t, "CREATE TABLE "+table+" (id INTEGER PRIMARY KEY, i INT, t TEXT, r REAL, n NUMERIC, x, g AS (i + 1), d TEXT DEFAULT 'd')")
		}
		for _, v := range values {
			args := []any{v, v, v, v, v}
			_, err := s.Bare.ExecContext(t.Context(), "INSERT INTO bare (i, t, r, n, x) VALUES (?, ?, ?, ?, ?)", args...)
			require.NoError(t, err)
			_, err = s.DB.ExecContext(t.Context(), "INSERT INTO guarded (i, t, r, n, x) VALUES (?, ?, ?, ?, ?)", args...)
			require.NoError(t, err)
		}
		for _, rest := range []string{"(i, t, x) VALUES (1, '2', x'33')", "(x, i) VALUES ((SELECT max(id) FROM item), 1 + 1)", "(t, x) VALUES (NULL, json('[1]'))"} {
			s.Exec(t, "INSERT INTO bare "+rest)
			_, err := s.DB.ExecContext(t.Context(), "INSERT INTO guarded "+rest)
			require.NoError(t, err)
		}
		const all = "SELECT id, i, typeof(i), t, typeof(t), r, typeof(r), n, typeof(n), x, typeof(x), g, d FROM "
		assert.Equal(t, len(values)+3, s.Int(t, "SELECT count(*) FROM guarded"))
		assert.Zero(t, s.Int(t, "SELECT count(*) FROM ("+all+"bare EXCEPT "+all+"guarded)"))
		assert.Zero(t, s.Int(t, "SELECT count(*) FROM ("+all+"guarded EXCEPT "+all+"bare)"))
		for _, text := range []string{
			"INSERT INTO item VALUES (1)", "INSERT INTO item (id) VALUES (1, 2)", "INSERT INTO item VALUES (1, 1)", "INSERT INTO item VALUES (100, NULL)",
			"INSERT INTO item (nothing) VALUES (1)", "INSERT INTO item VALUES (nothing, 1)", "INSERT INTO item VALUES (abs(-9223372036854775808), 1)",
			"INSERT INTO item VALUES ('x', 1)", "INSERT INTO item (id) VALUES (?)",
		} {
			_, want := s.Bare.ExecContext(t.Context(), text)
			_, got := s.DB.ExecContext(t.Context(), text)
			require.Error(t, want, text)
			require.EqualError(t, got, want.Error(), text)
		}
	}, target.SQLite)
}
