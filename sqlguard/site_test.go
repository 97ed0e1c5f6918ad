package sqlguard_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// TestSiteIsTheApplications: whichever way a statement is run, the violation
// names the line that ran it.
func TestSiteIsTheApplications(t *testing.T) {
	f := &fake{sets: [][][]driver.Value{{{int64(1), "one"}}}}
	db := guarded(t, f, dbguard.Policy{})
	ctx := context.Background()
	s, err := db.PrepareContext(ctx, returning)
	require.NoError(t, err)
	defer s.Close()
	x := sqlx.NewDb(db, "pgx")
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)

	check := func(err error) {
		t.Helper()
		_, _, line, _ := runtime.Caller(1)
		var v *dbguard.Violation
		if assert.ErrorAs(t, err, &v) {
			assert.Equal(t, fmt.Sprintf("site_test.go:%d", line), v.Site)
		}
	}
	second := func(_ any, err error) error { return err }
	var a, b any
	check(second(tx.ExecContext(ctx, "DELETE FROM app WHERE id = 1")))
	check(second(tx.QueryContext(ctx, returning)))
	check(tx.QueryRowContext(ctx, returning).Scan(&a, &b))
	check(second(tx.StmtContext(ctx, s).ExecContext(ctx)))
	require.NoError(t, tx.Rollback())
	check(second(db.ExecContext(ctx, "DELETE FROM app WHERE id = 1")))
	check(second(db.Exec("DELETE FROM app WHERE id = 1")))
	check(second(s.Exec()))
	check(s.QueryRow().Scan(&a, &b))
	check(second(x.NamedExec("DELETE FROM app WHERE id = :id", map[string]any{"id": 1})))
	check(x.Get(&a, returning))
	check(errors.Unwrap(fmt.Errorf("wrapped: %w", second(x.Exec("DELETE FROM app WHERE id = 1")))))
}
