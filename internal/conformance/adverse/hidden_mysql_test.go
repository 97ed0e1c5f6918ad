package adverse

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/network"
)

// wipeBehindViews is a stored function that deletes five rows of child, and the views
// that call it.
var wipeBehindViews = []string{
	"CREATE TABLE item (id INT, n INT)", "INSERT INTO item VALUES (1, 0)",
	"CREATE FUNCTION f() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM child WHERE r = 1; RETURN 0; END",
	"CREATE VIEW w AS SELECT f() AS a", "CREATE VIEW over_w AS SELECT a + 1 AS a FROM w", "CREATE VIEW plain AS SELECT id FROM item",
}

// countFunction is a stored function with the name of a built-in one.
var countFunction = []string{"CREATE FUNCTION `count`(a INT) RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM child WHERE r = 1; RETURN 0; END"}

func TestStoredFunctionBehindView(t *testing.T) {
	texts := []struct {
		name, text string
		setup      []string
	}{
		{"read", "SELECT a FROM w", nil},
		{"view of a view", "SELECT * FROM `over_w`", nil},
		{"in another letter case", "SELECT (SELECT A FROM w) FROM item", nil},
		{"behind an UPDATE", "UPDATE item SET n = (SELECT a FROM w) + 5 WHERE id = 1", nil},
		{"behind a DELETE", "DELETE FROM item WHERE id = (SELECT a + 1 FROM w)", nil},
		{"DO", "DO (SELECT a FROM w)", nil},
		{"in a function that is called", "SELECT g()", []string{"CREATE FUNCTION g() RETURNS INT RETURN (SELECT a FROM w)"}},
		{"a string that is run", "EXECUTE IMMEDIATE 'SELECT a FROM w'", nil},
		{"a function with the name of the server's, quoted", "SELECT `count`(1)", countFunction},
		{"a function with the name of the server's, behind a gap", "SELECT COUNT/**/(1)", countFunction},
		{"such a one in a trigger", "INSERT INTO item VALUES (2, 0)", append(countFunction, "CREATE TRIGGER trg BEFORE INSERT ON item FOR EACH ROW SET NEW.n = count (1)")},
		{"in a trigger", "INSERT INTO item VALUES (2, 0)", []string{"CREATE TRIGGER trg BEFORE INSERT ON item FOR EACH ROW SET NEW.n = (SELECT a FROM over_w)"}},
	}
	for _, tt := range texts {
		t.Run(tt.name, func(t *testing.T) {
			each(t, onMySQL, func(t *testing.T, f *fixture) {
				f.execBare(t, append(wipeBehindViews, tt.setup...)...)
				f.skipMariaDBs(t, tt.text)
				_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 4), tt.text)
				require.ErrorIs(t, err, dbguard.OverLimit)
				tx, err := f.db.BeginTx(t.Context(), nil)
				require.NoError(t, err)
				_, err = tx.ExecContext(dbguard.AtMost(t.Context(), 4), tt.text)
				require.ErrorIs(t, err, dbguard.OverLimit)
				_, err = tx.ExecContext(t.Context(), "INSERT INTO child VALUES (9, 9)")
				require.NoError(t, err, "the transaction is of use")
				require.NoError(t, tx.Commit())
				assert.Equal(t, 6, f.count(t, "child"))
				_, err = f.db.ExecContext(dbguard.AtMost(t.Context(), 7), tt.text)
				require.NoError(t, err)
				assert.Equal(t, 1, f.count(t, "child"))
			})
		})
	}
}

// What commits implicitly, or is not counted by the server, is refused. DDL on the view
// itself runs nothing.
func TestDDLOnViewThatCallsFunction(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, wipeBehindViews...)
		for _, text := range []string{"CREATE TABLE z AS SELECT * FROM w", "SHOW STATUS WHERE f() = 0 AND Variable_name = 'Uptime'"} {
			_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 9), text)
			require.ErrorIs(t, err, dbguard.Uncountable, text)
		}
		granted := dbguard.Allow(t.Context(), "test", dbguard.DropTable("w"), dbguard.DropTable("z"))
		for _, text := range []string{
			"CREATE VIEW z AS SELECT * FROM w", "SHOW CREATE VIEW w", "DESCRIBE w", "SELECT id FROM plain", "DROP VIEW z, w",
		} {
			_, err := f.db.ExecContext(granted, text)
			require.NoError(t, err, text)
		}
		assert.Equal(t, 5, f.count(t, "child"))
	})
}

// An account that sees a function, and a view but not its definition, may not read the
// view without a grant of Opaque.
func TestViewWithUnreadableDefinition(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, wipeBehindViews...)
		db := f.openGuarded(t, f.createUser(t, "SELECT, EXECUTE ON *"))
		_, err := db.ExecContext(dbguard.AtMost(t.Context(), 9), "SELECT a FROM w")
		require.ErrorIs(t, err, dbguard.Uncountable)
		assert.Equal(t, 5, f.count(t, "child"))
		_, err = db.ExecContext(t.Context(), "SELECT * FROM item")
		require.NoError(t, err)
		_, err = db.ExecContext(dbguard.Allow(t.Context(), "test", dbguard.Opaque()), "SELECT id FROM plain")
		require.NoError(t, err)
	})
}

func TestReadsTakeNoExtraRoundTrip(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE TABLE item (id INT, n INT)", "CREATE VIEW plain AS SELECT id, ABS(n) AS n FROM item", "CREATE VIEW over_plain AS SELECT * FROM plain",
			"CREATE TRIGGER trg AFTER INSERT ON item FOR EACH ROW DELETE FROM child WHERE r = 1")
		for _, more := range []string{"CREATE TABLE other (id INT)", "CREATE FUNCTION f() RETURNS INT RETURN 1"} {
			f.execBare(t, more) // with a function or without
			p, dsn := network.Through(t, f.DSN, time.Millisecond)
			db := f.openGuarded(t, dsn)
			_, err := db.Exec("SELECT 1") // what is asked once
			require.NoError(t, err)
			for _, text := range []string{"SELECT * FROM over_plain", "SELECT id FROM plain WHERE n IN (SELECT n FROM item)", "SHOW CREATE VIEW plain"} {
				before := p.Trips()
				_, err := db.Exec(text)
				require.NoError(t, err)
				assert.EqualValues(t, 1, p.Trips()-before, text)
			}
		}
	})
}
