package pgxguard_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard/internal/queries"
)

var (
	_ queries.DBTX = (*pgxguard.Pool)(nil)
	_ queries.DBTX = (*pgxguard.Conn)(nil)
)

func TestSQLC(t *testing.T) {
	r := newRig(t)
	q, one := queries.New(r), atMost(t, 1)
	n, err := q.AddUsers(t.Context(), []queries.User{{ID: 6, Name: "u6"}, {ID: 7, Name: "u7"}})
	require.NoError(t, err)
	assert.Equal(t, int64(2), n)
	user, err := q.GetUser(t.Context(), 7)
	require.NoError(t, err)
	assert.Equal(t, queries.User{ID: 7, Name: "u7"}, user)

	require.ErrorIs(t, q.DeleteUser(t.Context(), 7), dbguard.Unbounded)
	require.NoError(t, q.DeleteUser(one, 7))
	_, err = q.RenameUsers(one, "same", 1)
	require.ErrorIs(t, err, dbguard.OverLimit)
	n, err = q.RenameUsers(atMost(t, 10), "same", 1)
	require.NoError(t, err)
	assert.Equal(t, int64(6), n)
	_, err = q.PurgeUsers(one, 4)
	require.ErrorIs(t, err, dbguard.OverLimit)
	users, err := q.PurgeUsers(one, 6)
	require.NoError(t, err)
	assert.Equal(t, []queries.User{{ID: 6, Name: "same"}}, users)

	require.NoError(t, pgx.BeginFunc(t.Context(), r, func(tx pgx.Tx) error {
		return q.WithTx(tx).DeleteUser(one, 5)
	}))
	var each []error
	q.DeleteEach(one, []int32{4, 2, 3}).Exec(func(_ int, err error) { each = append(each, err) })
	require.Len(t, each, 3)
	require.NoError(t, each[0])
	require.ErrorIs(t, errors.Join(each...), dbguard.OverLimit, "2 has posts")
	assert.Equal(t, 4, r.count("users"))
	q.DeleteEach(one, []int32{4, 3}).Exec(func(_ int, err error) { require.NoError(t, err) })
	assert.Equal(t, 2, r.count("users"))
}
