package postgres

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A built-in function that runs a text is found in the expressions of a table, a domain and a
// policy, too, where pg_depend has no entry for it.
func TestBuiltinFunctionsThatRunText(t *testing.T) {
	const call = "length(query_to_xml('SELECT public.w()', true, true, '')::text) > 0"
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for _, text := range []string{
			"CREATE FUNCTION w() RETURNS int LANGUAGE plpgsql AS $$ BEGIN " + wipe + " RETURN 1; END $$",
			"CREATE TABLE checked (id INT PRIMARY KEY, v BOOL CHECK (NOT v OR " + call + "))", "INSERT INTO checked VALUES (1, false)",
			"CREATE TABLE defaulting (id INT PRIMARY KEY, v BOOL DEFAULT " + call + ")", "INSERT INTO defaulting VALUES (1, false)",
			"CREATE DOMAIN d AS int CHECK (VALUE = 0 OR " + call + ")",
			"CREATE TABLE policed (id INT)", "INSERT INTO policed VALUES (1)", "CREATE POLICY p ON policed USING (" + call + ")", "ALTER TABLE policed ENABLE ROW LEVEL SECURITY",
			"DROP ROLE IF EXISTS dbguard_policed", "CREATE ROLE dbguard_policed", "GRANT ALL ON policed, t TO dbguard_policed",
		} {
			f.execBare(text)
		}
		t.Cleanup(func() { f.execBare("DROP OWNED BY dbguard_policed; DROP ROLE dbguard_policed") })
		for _, text := range []string{
			"UPDATE checked SET v = true WHERE id = 1", "INSERT INTO checked VALUES (2, true)", "UPDATE defaulting SET v = DEFAULT WHERE id = 1", "INSERT INTO defaulting VALUES (2)",
			"SELECT 1::d", "SELECT * FROM policed",
		} {
			for begin, end := range map[string]string{"BEGIN": "ROLLBACK", "SELECT 1": "SELECT 1"} {
				conn, run := f.session()
				run(t.Context(), begin)
				if strings.Contains(text, "policed") {
					run(t.Context(), "SET ROLE dbguard_policed")
				}
				_, err := conn.ExecContext(atMost(t, 1), text)
				require.ErrorIs(t, err, dbguard.OverLimit, "%s; %s", begin, text)
				run(t.Context(), end)
				run(t.Context(), "RESET ROLE")
				require.NoError(t, conn.Close())
			}
		}
	})
}
