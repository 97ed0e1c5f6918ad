package unittest

import (
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// newAccounts is a store in memory and a record of what is destroyed in it.
// Three accounts, of which the first has two sessions.
func newAccounts(t *testing.T) (*Accounts, *dbguardtest.Recorder) {
	t.Helper()
	rec := dbguardtest.NewRecorder()
	guard, err := dbguard.New(dbguard.Policy{Observers: []dbguard.Observer{rec}})
	require.NoError(t, err)
	db, err := sqlguard.Open("sqlite", "file::memory:?_pragma=foreign_keys(1)", guard)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1) // another connection would see another database

	for _, statement := range []string{
		"CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT)",
		"CREATE TABLE sessions (id INTEGER PRIMARY KEY, account_id INTEGER REFERENCES accounts (id) ON DELETE CASCADE)",
		"INSERT INTO accounts VALUES (1, 'ada'), (2, 'bob'), (3, 'cyd')",
		"INSERT INTO sessions VALUES (10, 1), (11, 1)",
	} {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	return &Accounts{db}, rec
}

func TestCloseRemovesOneAccount(t *testing.T) {
	accounts, rec := newAccounts(t)
	require.NoError(t, accounts.Close(t.Context(), 2))
	dbguardtest.AssertChanged(t, rec, "accounts", 1)
}

func TestRenameOfNobodyIsRefused(t *testing.T) {
	accounts, rec := newAccounts(t)
	err := accounts.Rename(t.Context(), 99, "dan")
	dbguardtest.AssertRefused(t, err, dbguard.UnderLimit)
	dbguardtest.AssertNothingDestroyed(t, rec)
}

func TestCloseIdleStopsAtItsLimit(t *testing.T) {
	accounts, rec := newAccounts(t)
	err := accounts.CloseIdle(t.Context(), 1) // two are idle
	dbguardtest.AssertRefused(t, err, dbguard.OverLimit)
	dbguardtest.AssertNothingDestroyed(t, rec)

	require.NoError(t, accounts.CloseIdle(t.Context(), 2))
	dbguardtest.AssertChanged(t, rec, "accounts", 2)
}
