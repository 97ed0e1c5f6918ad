package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// assignedColumns are columns of a table w that child references, and texts that assign them,
// written so that it is hard to tell. Their last argument is an id.
var assignedColumns = []struct {
	name    string
	engines []target.Engine
	table   string
	column  string
	set     string
	text    string
}{
	{"behind white space of latin1", onMySQL, "id INT PRIMARY KEY, n INT, m BIGINT UNSIGNED UNIQUE", "m", "NAMES latin1", "UPDATE w SET n = 1,\xa0m = ? WHERE id = ?"},
	{"behind white space of cp866", onMySQL, "id INT PRIMARY KEY, n INT, m BIGINT UNSIGNED UNIQUE", "m", "NAMES cp866", "UPDATE w SET n = 1,\xffm = ? WHERE id = ?"},
	{"behind a backslash that escapes nothing", onMySQL, "id INT PRIMARY KEY, n TEXT, m BIGINT UNSIGNED UNIQUE", "m", "sql_mode = NO_BACKSLASH_ESCAPES", `UPDATE w SET n = '\', m = ? WHERE id = ? -- '`},
	{"in another character set", onMySQL, "id INT PRIMARY KEY, n INT, é BIGINT UNSIGNED UNIQUE", "é", "character_set_client = latin1", "UPDATE w SET \xe9 = ? WHERE id = ?"},
	{"with a mark that is half a letter", onMySQL, "id INT PRIMARY KEY, n INT, ポイ BIGINT UNSIGNED UNIQUE", "ポイ", "character_set_client = sjis", "UPDATE w SET \x83|\x83C = ? WHERE id = ?"},
	{"with a variable's mark that is half a letter", onMySQL, "id INT PRIMARY KEY, n INT, ァポ BIGINT UNSIGNED UNIQUE", "ァポ", "character_set_client = sjis", "UPDATE w SET \x83@\x83| = ? WHERE id = ?"},
	{"with a mark that is a letter", onMariaDB, "id INT PRIMARY KEY, n INT, `a^b` BIGINT UNSIGNED UNIQUE", "`a^b`", "character_set_client = swe7", "UPDATE w SET a^b = ? WHERE id = ?"},
	{"another letter", onOnlyMySQL, "id INT PRIMARY KEY, n INT, i BIGINT UNSIGNED UNIQUE", "i", "@a = 1", "UPDATE w SET İ = ? WHERE id = ?"},
	{"its index is hidden", onOnlyMySQL, "id INT, n INT", "my_row_id", "show_gipk_in_create_table_and_information_schema = OFF", "UPDATE w SET my_row_id = ? WHERE id = ?"},
	{"its index is InnoDB's own", onMariaDB, "id INT PRIMARY KEY, n TEXT, FTS_DOC_ID BIGINT UNSIGNED NOT NULL, FULLTEXT (n)", "FTS_DOC_ID", "@a = 1", "UPDATE w SET FTS_DOC_ID = ? WHERE id = ?"},
	{"behind DUPLICATE in a literal", onMySQL, "id INT PRIMARY KEY, n TEXT, m BIGINT UNSIGNED UNIQUE", "m", "@a = 1", "INSERT INTO w (n, m, id) VALUES ('DUPLICATE', ?, ?) ON DUPLICATE KEY UPDATE m = VALUES(m)"},
}

func TestAssignedColumnsAreFound(t *testing.T) {
	for _, tt := range assignedColumns {
		t.Run(tt.name, func(t *testing.T) {
			each(t, tt.engines, func(t *testing.T, f *fixture) {
				if f.Engine == target.MySQL {
					f.execBare(t, "SET sql_generate_invisible_primary_key = ON")
				}
				f.execBare(t, "CREATE TABLE w ("+tt.table+")", "INSERT INTO w (id, n, "+tt.column+") VALUES (1, 1, 1)",
					"ALTER TABLE child MODIFY r BIGINT UNSIGNED, ADD FOREIGN KEY (r) REFERENCES w ("+tt.column+") ON UPDATE CASCADE")
				c, one := f.conn(t), dbguard.AtMost(t.Context(), 1)
				exec(t, c, "SET "+tt.set)
				f.repeat(func() {
					_, err := c.ExecContext(one, tt.text, 100, 1)
					require.ErrorIs(t, err, dbguard.OverLimit)
					assert.Equal(t, 5, f.count(t, "child WHERE r = 1"))
				})
			})
		})
	}
}
