package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	mysqldriver "github.com/go-sql-driver/mysql"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

var mysqlScratch = scratchSQL{
	noun:   "database",
	lock:   "SELECT COALESCE(GET_LOCK('" + scratchName + "', 0), 0)",
	exists: "SELECT count(*) FROM information_schema.schemata WHERE schema_name = '" + scratchName + "'",
	tables: "SELECT count(*) FROM information_schema.tables WHERE table_schema = '" + scratchName + "'",
	marked: "SELECT count(*) FROM information_schema.tables WHERE table_schema = '" + scratchName + "'" +
		" AND table_name = '" + markerTable + "'",
	create: "CREATE DATABASE " + scratchName,
	drop:   "DROP DATABASE " + scratchName,
}

// openMySQL makes a scratch database on the server and opens handles in it.
func openMySQL(ctx context.Context, dsn string) (*engine, error) {
	cfg, err := mysqldriver.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDSN, err)
	}
	adminConnector, err := mysqldriver.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	admin := sql.OpenDB(adminConnector)
	s, err := claim(ctx, admin, mysqlScratch)
	if err != nil {
		return nil, errors.Join(err, admin.Close())
	}
	own := cfg.Clone()
	own.DBName = scratchName
	connector, err := mysqldriver.NewConnector(own)
	if err != nil {
		return nil, errors.Join(err, s.close(), admin.Close())
	}
	bare := sql.OpenDB(connector)
	bare.SetMaxOpenConns(poolSize)
	closeAll := func() error { return errors.Join(bare.Close(), s.close(), admin.Close()) }
	system, version, err := mysqlVersion(ctx, bare)
	if err != nil {
		return nil, errors.Join(err, closeAll())
	}
	return &engine{
		system:  system,
		version: version,
		bare:    bare,
		guard: func(g *dbguard.Guard) (*sql.DB, error) {
			return sql.OpenDB(sqlguard.WrapConnector(connector, g)), nil
		},
		dialector:    func(db *sql.DB) gorm.Dialector { return mysql.New(mysql.Config{Conn: db}) },
		bind:         func(query string) string { return query },
		tableOptions: " ENGINE=InnoDB", // whatever the server's default is
		close:        closeAll,
	}, nil
}

// mysqlVersion tells MariaDB from MySQL.
func mysqlVersion(ctx context.Context, db *sql.DB) (system, version string, err error) {
	var full string
	if err := db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&full); err != nil {
		return "", "", err
	}
	number, _, _ := strings.Cut(full, "-")
	if strings.Contains(full, "MariaDB") {
		return "mariadb", "MariaDB " + number, nil
	}
	return "mysql", "MySQL " + number, nil
}
