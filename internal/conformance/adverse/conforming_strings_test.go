package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A setting that changes how texts are read is reverted with the transaction or savepoint
// in which it was set, and functions may change it, too.
func TestStandardConformingStringsReverted(t *testing.T) {
	const off, asked = "SET LOCAL standard_conforming_strings = off", `SELECT 'it\'s'`
	const read, opened = `SELECT 'C:\'; DELETE FROM t WHERE id > 1; --'`, `SELECT 'a\''; DELETE FROM t WHERE id > 1; --'`
	for name, texts := range map[string][]string{
		"commit":    {"BEGIN", off, asked, "COMMIT", read},
		"rollback":  {"BEGIN", off, asked, "ROLLBACK", read},
		"savepoint": {"BEGIN", "SAVEPOINT a", off, asked, "ROLLBACK TO a", read},
		"function":  {`SELECT 'C:\'`, "SELECT sloppy()", opened},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, []target.Engine{target.Postgres}, func(t *testing.T, f *fixture) {
				f.execBare(t, `CREATE FUNCTION sloppy() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('standard_conforming_strings', 'off', false); END $$`)
				c := f.conn(t)
				last := len(texts) - 1
				exec(t, c, texts[:last]...)
				_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), texts[last])
				require.ErrorIs(t, err, dbguard.ErrRefused)
				assert.Equal(t, 9, f.count(t, "t"))
			})
		})
	}
}
