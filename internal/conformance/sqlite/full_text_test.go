package sqlite

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A row that an upsert or REPLACE inserts is new, and so is its entry in a full-text index: it
// is within any bound. What triggers delete besides is not.
func TestUpsertWithFullTextTriggers(t *testing.T) {
	const added, off = "INSERT INTO item VALUES (91, 5) ON CONFLICT (id) DO UPDATE SET v = 5", "CREATE TRIGGER z AFTER INSERT ON log BEGIN SELECT 1; END"
	for _, tt := range []struct {
		name, setup, text string
		rule              error
	}{
		{"a new row", off, added, nil},
		{"a new row, by REPLACE", off, "REPLACE INTO item VALUES (91, 5)", nil},
		{"a new row, of which others would be told by a column", "CREATE TRIGGER x AFTER UPDATE ON item BEGIN DELETE FROM ft WHERE body = NEW.v; END", added, nil},
		{
			"nothing, which a trigger precedes", "CREATE TRIGGER x BEFORE INSERT ON item BEGIN DELETE FROM ft WHERE rowid = NEW.id; END",
			"INSERT INTO item VALUES (1, 5), (2, 5) ON CONFLICT (id) DO UPDATE SET v = 5 WHERE 0", dbguard.OverLimit,
		},
		{"a new row, and all that matches", "CREATE TRIGGER x AFTER INSERT ON item BEGIN DELETE FROM ft WHERE ft MATCH 'words'; END", added, dbguard.OverLimit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				for _, text := range slices.Concat(commonTables, ftsByRowid, []string{tt.setup}) {
					s.Exec(t, strings.Replace(text, "USING fts", "USING "+ftsModule[s.Driver], 1))
				}
				_, err := s.DB.ExecContext(dbguard.AtMost(t.Context(), 1), tt.text)
				require.ErrorIs(t, err, tt.rule)
				if tt.rule != nil {
					assert.Equal(t, stage.Rows, s.Int(t, "SELECT count(*) FROM ft WHERE body LIKE 'some words%'"))
				}
			}, target.SQLite)
		})
	}
}

// Whether rows that REPLACE removes fire triggers depends on a setting of the session.
func TestReplaceWithRecursiveTriggers(t *testing.T) {
	for setting, rule := range map[string]error{"OFF": nil, "ON": dbguard.OverLimit} {
		t.Run(setting, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				for _, text := range append(ftsByRowid[:2:2], "CREATE TRIGGER x AFTER DELETE ON item BEGIN DELETE FROM ft WHERE ft MATCH 'words'; END") {
					s.Exec(t, strings.Replace(text, "USING fts", "USING "+ftsModule[s.Driver], 1))
				}
				for _, was := range []string{"OFF", setting} {
					_, err := s.DB.ExecContext(t.Context(), "PRAGMA recursive_triggers = "+was)
					require.NoError(t, err)
					_, err = s.DB.ExecContext(dbguard.AtMost(t.Context(), 1), "REPLACE INTO item VALUES (1, 5)")
					require.ErrorIs(t, err, map[bool]error{true: rule}[was == setting])
				}
				assert.Equal(t, stage.Rows, s.Int(t, "SELECT count(*) FROM ft"))
			}, target.SQLite)
		})
	}
}

// A full-text index keeps its rows in shadow tables, on which there may be triggers and
// foreign keys.
func TestTriggersOnShadowTables(t *testing.T) {
	const kept, wipes = "DELETE FROM item WHERE id = 1", " BEGIN DELETE FROM victim; END"
	keys := func(s *stage.Stage) string { return map[string]string{"sqlite": "id", "sqlite3": "docid"}[s.Driver] }
	for _, tt := range []struct {
		name, setup, text string
		rule              error
	}{
		{"a trigger", "CREATE TRIGGER x AFTER DELETE ON ft_content" + wipes, kept, dbguard.OverLimit},
		{"a trigger, behind an UPDATE", "CREATE TRIGGER x AFTER DELETE ON ft_docsize" + wipes, "UPDATE item SET v = 1 WHERE id = 1", dbguard.OverLimit},
		{"a trigger, behind an INSERT", "CREATE TRIGGER x AFTER INSERT ON ft_content" + wipes, "INSERT INTO item VALUES (99, 0)", dbguard.OverLimit},
		{"a trigger, behind an INSERT into the index", "CREATE TRIGGER x AFTER INSERT ON ft_content" + wipes, "INSERT INTO ft (body) VALUES ('a')", dbguard.OverLimit},
		{"a foreign key", "CREATE TABLE victim_of (id INTEGER PRIMARY KEY, c INTEGER REFERENCES ft_content (key) ON DELETE CASCADE); INSERT INTO victim_of SELECT id, 1 FROM item", kept, dbguard.OverLimit},
		{"a trigger that fires at the COMMIT", "CREATE TRIGGER x AFTER INSERT ON ft_late" + wipes, kept, dbguard.Uncountable},
		{"a table that is called like them", "CREATE TABLE ft_log (a); CREATE TRIGGER x AFTER INSERT ON ft_log" + wipes, kept, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				names := strings.NewReplacer("USING fts", "USING "+ftsModule[s.Driver], "(key)", "("+keys(s)+")", "ft_late", map[string]string{"sqlite": "ft_data", "sqlite3": "ft_segdir"}[s.Driver])
				for _, text := range []string{
					"CREATE TABLE victim AS SELECT id FROM item", "CREATE VIRTUAL TABLE ft USING fts (body)", "INSERT INTO ft (rowid, body) SELECT id, 'words' FROM item",
					"CREATE TRIGGER ad AFTER DELETE ON item BEGIN DELETE FROM ft WHERE rowid = OLD.id; END",
					"CREATE TRIGGER au AFTER UPDATE ON item BEGIN DELETE FROM ft WHERE rowid = OLD.id; INSERT INTO ft (rowid, body) VALUES (OLD.id, 'new'); END",
					"CREATE TRIGGER ai AFTER INSERT ON item BEGIN INSERT INTO ft (rowid, body) VALUES (NEW.id, 'new'); END", tt.setup,
				} {
					s.Exec(t, names.Replace(text))
				}
				_, err := s.DB.ExecContext(dbguard.AtMost(t.Context(), 9), tt.text)
				require.ErrorIs(t, err, tt.rule)
				assert.Equal(t, stage.Rows, s.Int(t, "SELECT count(*) FROM victim"))
			}, target.SQLite)
		})
	}
}
