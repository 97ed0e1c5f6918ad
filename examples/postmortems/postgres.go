package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

var postgresScratch = scratchSQL{
	noun:   "schema",
	lock:   "SELECT CAST(pg_try_advisory_lock(hashtext('" + scratchName + "')) AS int)",
	exists: "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = '" + scratchName + "'",
	tables: "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" +
		" WHERE n.nspname = '" + scratchName + "' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
	marked: "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" +
		" WHERE n.nspname = '" + scratchName + "' AND c.relname = '" + markerTable + "'",
	create: "CREATE SCHEMA " + scratchName,
	drop:   "DROP SCHEMA " + scratchName + " RESTRICT",
}

// openPostgres makes a scratch schema on the server and opens handles that see
// only it.
func openPostgres(ctx context.Context, dsn string) (*engine, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDSN, err)
	}
	cfg.RuntimeParams["search_path"] = scratchName
	connector := stdlib.GetConnector(*cfg)
	bare := sql.OpenDB(connector)
	bare.SetMaxOpenConns(poolSize)
	s, err := claim(ctx, bare, postgresScratch)
	if err != nil {
		return nil, errors.Join(err, bare.Close())
	}
	var version string
	if err := bare.QueryRowContext(ctx, "SHOW server_version").Scan(&version); err != nil {
		return nil, errors.Join(err, s.close(), bare.Close())
	}
	return &engine{
		system:  "postgresql",
		version: "PostgreSQL " + firstWord(version),
		bare:    bare,
		guard: func(g *dbguard.Guard) (*sql.DB, error) {
			return sql.OpenDB(sqlguard.WrapConnector(connector, g)), nil
		},
		dialector: func(db *sql.DB) gorm.Dialector { return postgres.New(postgres.Config{Conn: db}) },
		bind:      numbered,
		close:     func() error { return errors.Join(s.close(), bare.Close()) },
	}, nil
}

// numbered writes $1, $2, … for each "?". The replays have none in a string.
func numbered(query string) string {
	var b strings.Builder
	n := 0
	for _, r := range query {
		if r == '?' {
			n++
			fmt.Fprintf(&b, "$%d", n)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}
