package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A grant for one table does not cover the tables that go with it.
func TestGrantCoversOnlyItsObject(t *testing.T) {
	refers := []string{"CREATE TABLE r (id INT REFERENCES t)", "INSERT INTO r VALUES (1)"}
	inherits := []string{"CREATE TABLE r () INHERITS (t)", "INSERT INTO r VALUES (100, 1)"}
	typed := []string{"CREATE TYPE mood AS ENUM ('good')", "CREATE TABLE r (id INT, m mood)", "INSERT INTO r VALUES (1, 'good')"}
	away := []string{"CREATE SCHEMA away", "CREATE TYPE away.mood AS ENUM ('good')", "CREATE TABLE away.own (m away.mood)", "CREATE TABLE r (id INT, m away.mood)"}
	tests := []struct {
		name, text string
		setup      []string
		grant      dbguard.Grant
		also       dbguard.Grant // needed as well
		rule       error
	}{
		{"truncate, referred to", "TRUNCATE t CASCADE", refers, dbguard.Truncate("t"), dbguard.Truncate("r"), dbguard.RuleTruncate},
		{"truncate, inherited", "TRUNCATE t", inherits, dbguard.Truncate("t"), dbguard.Truncate("r"), dbguard.RuleTruncate},
		{"drop, inherited", "DROP TABLE t CASCADE", inherits, dbguard.DropTable("t"), dbguard.DropTable("r"), dbguard.Drop},
		{"drop, its type is a column", "DROP TABLE IF EXISTS t CASCADE", []string{"CREATE TABLE r (id INT, whole t)"}, dbguard.DropTable("t"), dbguard.AlterTable("r"), dbguard.Alter},
		{"drop of a type", "DROP TYPE mood CASCADE", typed, dbguard.DropTable("mood"), dbguard.AlterTable("r"), dbguard.Alter},
		{"drop of a schema", "DROP SCHEMA away CASCADE", away, dbguard.DropDatabase("away"), dbguard.AlterTable("r"), dbguard.Alter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			each(t, []target.Engine{target.Postgres}, func(t *testing.T, f *fixture) {
				f.execBare(t, tt.setup...)
				before := f.count(t, "r")
				ctx := dbguard.Allow(t.Context(), "it goes", tt.grant)
				_, err := f.db.ExecContext(ctx, tt.text)
				require.ErrorIs(t, err, tt.rule)
				assert.Equal(t, before, f.count(t, "r"))
				assert.Positive(t, f.count(t, "t"))
				_, err = f.db.ExecContext(dbguard.Allow(ctx, "and what goes along", tt.also), tt.text)
				require.NoError(t, err)
			})
		})
	}
}

// Parts of the named object need no grant of their own.
func TestGrantCoversPartsOfItsObject(t *testing.T) {
	each(t, []target.Engine{target.Postgres}, func(t *testing.T, f *fixture) {
		f.execBare(t,
			"CREATE TABLE p (id SERIAL PRIMARY KEY) PARTITION BY RANGE (id)", "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (10)",
			"CREATE VIEW seen AS SELECT * FROM p", "CREATE MATERIALIZED VIEW kept AS SELECT * FROM p", "CREATE TABLE q (p INT REFERENCES p)",
			"CREATE SCHEMA away", "CREATE TABLE away.a (id INT PRIMARY KEY)", "CREATE TABLE away.b (a INT REFERENCES away.a)", "CREATE EXTENSION hstore", "CREATE TABLE c (id INT, d INT)")
		for _, tt := range []struct {
			text   string
			grants []dbguard.Grant
		}{
			{"TRUNCATE p, q", []dbguard.Grant{dbguard.Truncate("p"), dbguard.Truncate("q")}},
			{"DROP TABLE p CASCADE", []dbguard.Grant{dbguard.DropTable("p")}}, // drops the foreign key of q, too
			{"DROP SCHEMA away CASCADE", []dbguard.Grant{dbguard.DropDatabase("away")}},
			{"DROP EXTENSION hstore CASCADE", []dbguard.Grant{dbguard.DropTable("hstore")}},
			{"DROP TABLE IF EXISTS c CASCADE", []dbguard.Grant{dbguard.DropTable("c")}},
		} {
			_, err := f.db.ExecContext(dbguard.Allow(t.Context(), "it goes", tt.grants...), tt.text)
			require.NoError(t, err, tt.text)
		}
	})
}
