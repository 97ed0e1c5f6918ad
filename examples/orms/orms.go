// Package orms opens ORMs over a guarded database. Give each of them a handle: from
// a DSN it would open an unguarded one of its own.
package orms

import (
	"github.com/jmoiron/sqlx"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	modernc "modernc.org/sqlite"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// GORM takes the handle as Conn. The bound is in the context: WithContext.
func GORM(dsn string, guard *dbguard.Guard) (*gorm.DB, error) {
	db, err := sqlguard.Open("sqlite", dsn, guard)
	if err != nil {
		return nil, err
	}
	return gorm.Open(sqlite.New(sqlite.Config{Conn: db}), &gorm.Config{})
}

// SQLX uses sqlguard.OpenX, which tells sqlx which placeholders the driver takes.
func SQLX(dsn string, guard *dbguard.Guard) (*sqlx.DB, error) {
	return sqlguard.OpenX("sqlite", dsn, guard)
}

// GuardedDriver is the name under which RegisterDriver makes a driver known.
const GuardedDriver = "sqlite-guarded"

// RegisterDriver is for libraries that take only the name of a driver and call
// sql.Open themselves.
func RegisterDriver(guard *dbguard.Guard) error {
	return sqlguard.Register(GuardedDriver, &modernc.Driver{}, guard)
}
