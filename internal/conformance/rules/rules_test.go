package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard"
)

func TestMain(m *testing.M) { servers.PrivateMain(m) }

// engines are those for the examples that SQLite has no statement for.
var engines = map[dbguard.RuleID]target.Engine{
	dbguard.RuleTruncate: target.Postgres, // SQLite has no TRUNCATE
	dbguard.RuleOpaque:   target.Postgres, // SQLite has no procedures
	dbguard.Uncountable:  target.MariaDB,  // where tables without transactions are
}

// withoutExamples are the rules that no single call can show, and why.
var withoutExamples = map[dbguard.RuleID]string{
	dbguard.Unconfirmed: "a reply must be lost: the suites that kill client and server show it",
}

// fixture is what the examples speak of: users has rows 1 to 9.
var fixture = map[target.Engine][]string{
	target.SQLite: {
		"CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)",
		"CREATE TABLE sessions (id INTEGER PRIMARY KEY, user_id INTEGER)",
	},
	target.Postgres: {
		"CREATE TABLE users (id integer PRIMARY KEY, name text)",
		"CREATE TABLE sessions (id integer PRIMARY KEY, user_id integer)",
		"CREATE PROCEDURE purge() LANGUAGE sql AS 'DELETE FROM sessions'",
	},
	target.MariaDB: {
		"CREATE TABLE users (id integer PRIMARY KEY, name text)",
		"CREATE TABLE sessions (id integer PRIMARY KEY, user_id integer)",
		"CREATE TABLE innodb_table (id integer PRIMARY KEY) ENGINE = InnoDB",
		"CREATE TABLE myisam_table (id integer PRIMARY KEY) ENGINE = MyISAM",
		"INSERT INTO innodb_table VALUES (6), (7), (8)",
		"INSERT INTO myisam_table VALUES (6), (7), (8)",
	},
}

var rowsOfAll = []string{
	"INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e'), (6, 'f'), (7, 'g'), (8, 'h'), (9, 'i')",
	"INSERT INTO sessions VALUES (1, 7), (2, 7), (3, 8)",
}

func targetOf(id dbguard.RuleID) target.Target {
	engine, ok := engines[id]
	if !ok {
		engine = target.SQLite
	}
	for _, t := range target.All() {
		if t.Engine == engine {
			return t // the first driver: modernc, pgx
		}
	}
	panic("no driver for " + engine)
}

// elsewhere are rules whose examples are no calls of database/sql, and the tests that run
// similar ones.
var elsewhere = map[dbguard.RuleID]string{
	dbguard.NotReady: "couch and sqlguard: TestGate",
}

func TestExamples(t *testing.T) {
	for _, r := range dbguard.Rules() {
		t.Run(r.Name, func(t *testing.T) {
			if why, ok := withoutExamples[r.ID]; ok {
				require.Empty(t, r.Bad, "there is an example now: no need to say that %s", why)
				return
			}
			require.NotEmpty(t, r.Bad, "a rule needs a case that breaks it")
			require.NotEmpty(t, r.Good, "a rule needs a case that does not")
			if where, ok := elsewhere[r.ID]; ok {
				t.Log("run by ", where)
				return
			}
			t.Run("Bad", func(t *testing.T) { bad(t, r) })
			t.Run("Good", func(t *testing.T) { good(t, r) })
		})
	}
}

// bad runs an example that the rule, and no other, must find. What is refused
// leaves the database as it was.
func bad(t *testing.T, r dbguard.Rule) {
	d, unchanged := database(t, r.ID)
	rec, err := run(t, d, r.Bad)
	require.Equal(t, []dbguard.RuleID{r.ID}, found(rec), "%s\n%v\n%s", r.Bad, err, rec)
	if r.Default == dbguard.Warn {
		require.NoError(t, err)
		return
	}
	dbguardtest.AssertRefused(t, err, r.ID)
	dbguardtest.AssertNothingDestroyed(t, rec)
	unchanged(t)
}

func good(t *testing.T, r dbguard.Rule) {
	d, _ := database(t, r.ID)
	rec, err := run(t, d, r.Good)
	require.NoError(t, err, r.Good)
	require.Empty(t, found(rec), "%s\n%s", r.Good, rec)
}

// database makes the fixture. unchanged fails if the database is no longer
// what it is now.
func database(t *testing.T, id dbguard.RuleID) (d *target.Database, unchanged func(*testing.T)) {
	t.Chdir(t.TempDir()) // for the files that examples name
	d = targetOf(id).Database(t)
	db := d.Bare(t)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	for _, statements := range [][]string{fixture[d.Engine], rowsOfAll} {
		for _, s := range statements {
			_, err := db.ExecContext(t.Context(), s)
			require.NoError(t, err, s)
		}
	}
	before, err := d.Snapshot(t.Context(), db)
	require.NoError(t, err)
	return d, func(t *testing.T) {
		after, err := d.Snapshot(t.Context(), db)
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
}

// run evaluates an example on a guarded pool. Afterwards the connection works.
func run(t *testing.T, d *target.Database, example string) (*dbguardtest.Recorder, error) {
	rec := dbguardtest.NewRecorder()
	g, err := dbguard.New(dbguard.Policy{Observers: []dbguard.Observer{rec}})
	require.NoError(t, err)
	db, err := sqlguard.Open(d.Driver, d.DSN, g)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	db.SetMaxOpenConns(1)
	result, unread := evaluate(db, example)
	require.NoError(t, unread, example)
	var one int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT 1").Scan(&one))
	return rec, result
}

// found are the rules of all findings, each once, in order.
func found(rec *dbguardtest.Recorder) (ids []dbguard.RuleID) {
	seen := map[dbguard.RuleID]bool{}
	for _, e := range rec.Events() {
		for _, f := range e.Findings {
			if !seen[f.Rule] {
				seen[f.Rule] = true
				ids = append(ids, f.Rule)
			}
		}
	}
	return ids
}
