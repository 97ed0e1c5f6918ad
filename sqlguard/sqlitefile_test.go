package sqlguard_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// events collects what a Guard tells.
type events []dbguard.Event

func (e *events) Observe(_ context.Context, event dbguard.Event) { *e = append(*e, event) }

func openFile(t *testing.T, dsn string, p dbguard.Policy) (*sql.DB, *fake) {
	t.Helper()
	f := &fake{}
	db, err := sqlguard.Open(register(t, f), dsn, newGuard(t, p), sqlguard.WithDialect(sqlguard.SQLite))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db, f
}

func TestMissingFile(t *testing.T) {
	dsn := "file:" + filepath.Join(t.TempDir(), "app.db") + "?cache=shared"
	name := dsn[len("file:") : len(dsn)-len("?cache=shared")]
	var told events
	db, f := openFile(t, dsn, dbguard.Policy{Observers: []dbguard.Observer{&told}})

	err := db.PingContext(context.Background())
	assert.ErrorIs(t, err, dbguard.ImplicitCreate)
	assert.ErrorContains(t, err, `dbguard.CreateDatabase("`+name+`")`)
	assert.Empty(t, f.log(), "the driver was asked to open it")

	granted := dbguard.Allow(context.Background(), "first start", dbguard.CreateDatabase(name))
	require.NoError(t, db.PingContext(granted))
	require.Len(t, told, 2)
	assert.Equal(t, dbguard.OutcomeRefused, told[0].Outcome)
	assert.Equal(t, dbguard.OutcomeDone, told[1].Outcome)
	assert.Equal(t, "first start", told[1].Reason)
}

func TestMissingFileFails(t *testing.T) {
	var told events
	path := filepath.Join(t.TempDir(), "app.db")
	db, f := openFile(t, path, dbguard.Policy{Observers: []dbguard.Observer{&told}})
	failing("connect", 1, errDriver, true)(f)
	granted := dbguard.Allow(context.Background(), "first start", dbguard.CreateDatabase(path))
	assert.Equal(t, errDriver, db.PingContext(granted))
	require.Len(t, told, 1)
	assert.Equal(t, dbguard.OutcomeFailed, told[0].Outcome)
}

func TestMissingFileObserved(t *testing.T) {
	var told events
	db, _ := openFile(t, filepath.Join(t.TempDir(), "app.db"),
		dbguard.Policy{Mode: dbguard.Observe, Observers: []dbguard.Observer{&told}})
	require.NoError(t, db.PingContext(context.Background()))
	require.Len(t, told, 1)
	assert.Equal(t, dbguard.ImplicitCreate, told[0].Rule)
}

func TestFileThatIsThere(t *testing.T) {
	for _, c := range []struct {
		why, content string
		want         error
	}{
		{"with data", "SQLite format 3", nil},
		{"empty", "", dbguard.ImplicitCreate},
	} {
		t.Run(c.why, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.db")
			require.NoError(t, os.WriteFile(path, []byte(c.content), 0o600))
			db, _ := openFile(t, path, dbguard.Policy{})
			assert.ErrorIs(t, db.PingContext(context.Background()), c.want)
		})
	}
}

func TestFileThatCannotBeMade(t *testing.T) {
	for why, dsn := range map[string]string{
		"folder missing": filepath.Join(t.TempDir(), "nosuch", "app.db"),
		"a folder":       t.TempDir(),
		"in memory":      ":memory:",
	} {
		t.Run(why, func(t *testing.T) {
			db, f := openFile(t, dsn, dbguard.Policy{})
			assert.NoError(t, db.PingContext(context.Background()))
			assert.Contains(t, f.log(), "connect", "the driver decides")
		})
	}
}

// TestEmptyFileBehindAConnector: the DSN is hidden, the driver has made the file.
func TestEmptyFileBehindAConnector(t *testing.T) {
	for _, c := range []struct {
		why, file, empty string
		grant            bool
		want             error
	}{
		{"new", "/data/app.db", "1", false, dbguard.ImplicitCreate},
		{"new and granted", "/data/app.db", "1", true, nil},
		{"with tables", "/data/app.db", "0", false, nil},
		{"in memory", "", "1", false, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			f := &fake{file: c.file, empty: c.empty}
			db := sql.OpenDB(sqlguard.WrapConnector(f, newGuard(t, dbguard.Policy{}), sqlguard.WithDialect(sqlguard.SQLite)))
			defer db.Close()
			ctx := context.Background()
			if c.grant {
				ctx = dbguard.Allow(ctx, "first start", dbguard.CreateDatabase(c.file))
			}
			assert.ErrorIs(t, db.PingContext(ctx), c.want)
			if c.want != nil {
				assert.Contains(t, f.log(), "1 close")
			}
		})
	}
}
