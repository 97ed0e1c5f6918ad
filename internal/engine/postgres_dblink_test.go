package engine

import (
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDblinkMayWrite(t *testing.T) {
	tests := map[string]bool{
		"SELECT * FROM dblink('dbname=x', 'SELECT id FROM t') AS r (id int)":                             false,
		"SELECT * FROM dblink('dbname=x', $$SELECT id FROM t$$) AS r (id int)":                           false,
		"SELECT * FROM dblink('dbname=x', E'SELECT id FROM t') AS r (id int)":                            false,
		"SELECT dblink_connect('c', 'dbname=x')":                                                         false,
		"SELECT * FROM dblink_fetch('cur', 10) AS r (id int)":                                            false,
		"SELECT count(*) FROM dblink_log":                                                                false,
		"SELECT * FROM dblink('dbname=x', 'DELETE FROM t RETURNING id') AS r (id int)":                   true,
		"SELECT * FROM dblink('dbname=x', $q$DELETE FROM t RETURNING id$q$) AS r (id int)":               true,
		`SELECT * FROM dblink('dbname=x', E'DELETE\x20FROM t RETURNING id') AS r (id int)`:               true,
		"SELECT * FROM dblink('dbname=x', U&'DELETE FROM t RETURNING id') AS r (id int)":                 true,
		`SELECT * FROM public."dblink" ('dbname=x', 'WITH d AS (DELETE FROM t) SELECT 1') AS r (id int)`: true,
		"SELECT * FROM dblink('dbname=x', 'SELECT 1;' || 'DELETE FROM t') AS r (id int)":                 true,
		"SELECT * FROM dblink('dbname=x', 'DEL' || 'ETE FROM t') AS r (id int)":                          true,
		"SELECT * FROM dblink('dbname=x', 'SELECT purge()') AS r (id int)":                               true,
		"SELECT dblink_exec('dbname=x', 'SELECT 1')":                                                     true,
		"SELECT * FROM q, dblink('dbname=x', q.text) AS r (id int)":                                      true,
		"SELECT * FROM dblink('dbname=x', $1) AS r (id int)":                                             true,
	}
	for text, want := range tests {
		assert.Equal(t, want, dblinkMayWrite(readText(text), nil), text)
	}
	for given, want := range map[any]bool{"SELECT 1": false, "DELETE FROM t": true, int64(1): true, sqlText("SELECT 1"): true} {
		args := []driver.NamedValue{{Ordinal: 1, Value: given}}
		assert.Equal(t, want, dblinkMayWrite(readText("SELECT * FROM dblink('dbname=x', $1) AS r (id int)"), args), given)
	}
	both := []driver.NamedValue{{Ordinal: 1, Value: "SELECT 1"}, {Ordinal: 2, Value: []byte("DELETE FROM t")}}
	assert.True(t, dblinkMayWrite(readText("SELECT * FROM dblink($1), dblink($2)"), both))
}

// sqlText is a type that pgx sends as text.
type sqlText string
