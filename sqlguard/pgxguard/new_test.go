package pgxguard_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// What is wrong with the arguments is told at once; no server is asked.
func TestNewErrors(t *testing.T) {
	cfg, err := pgxpool.ParseConfig("postgres://nobody@127.0.0.1:1/none")
	require.NoError(t, err)
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	_, err = pgxguard.New(t.Context(), cfg, nil)
	require.ErrorContains(t, err, "dbguard.New")
	_, err = pgxguard.New(t.Context(), nil, g)
	require.ErrorContains(t, err, "pgxpool.ParseConfig")
	p, err := pgxguard.New(t.Context(), cfg, g)
	require.NoError(t, err)
	defer p.Close()
	_, err = pgxguard.New(t.Context(), cfg, g, nil)
	require.ErrorContains(t, err, "nil Option")
	require.Nil(t, cfg.ConnConfig.Tracer, "the caller's configuration is copied")
	_, err = pgxguard.New(t.Context(), p.Config(), g)
	require.ErrorContains(t, err, "guarded already")

	_, err = p.Exec(t.Context(), "SELECT 1")
	require.Error(t, err, "nobody is there")
	rows, err := p.Query(t.Context(), "SELECT 1")
	require.Error(t, err)
	require.ErrorIs(t, rows.Err(), err)
	rows.Close()
	require.Error(t, p.QueryRow(t.Context(), "SELECT 1").Scan())
	require.Error(t, p.SendBatch(t.Context(), batch("SELECT 1")).Close())
	_, err = p.CopyFrom(t.Context(), nil, nil, nil)
	require.Error(t, err)
	_, err = p.Begin(t.Context())
	require.Error(t, err)
	require.Error(t, p.AcquireFunc(t.Context(), nil))
}
