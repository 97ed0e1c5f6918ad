// Package unittest is an application's package that deletes and updates rows.
// Its test shows how to assert what it may destroy.
package unittest

import (
	"context"
	"database/sql"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Accounts keeps accounts and their sessions.
type Accounts struct {
	db *sql.DB
}

// Close removes one account; its sessions go with it. It is an error if the
// account is not there.
func (a *Accounts) Close(ctx context.Context, id int64) error {
	const sessionsPerAccount = 5
	ctx = dbguard.AtMost(ctx, 1+sessionsPerAccount)
	_, err := a.db.ExecContext(ctx, "DELETE FROM accounts WHERE id = ?", id)
	return err
}

// Rename changes the name of exactly one account.
func (a *Accounts) Rename(ctx context.Context, id int64, name string) error {
	_, err := a.db.ExecContext(dbguard.Exactly(ctx, 1), "UPDATE accounts SET name = ? WHERE id = ?", name, id)
	return err
}

// CloseIdle removes the accounts that have no session: no more than limit,
// whatever the data says.
func (a *Accounts) CloseIdle(ctx context.Context, limit int64) error {
	_, err := a.db.ExecContext(dbguard.AtMost(ctx, limit),
		"DELETE FROM accounts WHERE id NOT IN (SELECT account_id FROM sessions)")
	return err
}
