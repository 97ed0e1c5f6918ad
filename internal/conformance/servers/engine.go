package servers

import (
	"context"
	"fmt"
	"os"
)

// The environment variables that the package reads.
const (
	// PostgresEnv holds a postgres:// URL of a superuser.
	PostgresEnv = "DBGUARD_POSTGRES_DSN"
	// MySQLEnv holds a DSN of github.com/go-sql-driver/mysql of a user with all privileges.
	MySQLEnv = "DBGUARD_MYSQL_DSN"
	// RequireEnv set to "all" turns every skip because of a missing server into a failure.
	RequireEnv = "DBGUARD_REQUIRE"
)

// Engine is a database server that the package can find and start.
type Engine int

// The engines.
const (
	Postgres Engine = iota
	MariaDB
	engines // how many there are
)

// String names the engine as test names and messages do.
func (e Engine) String() string {
	switch e {
	case Postgres:
		return "postgres"
	case MariaDB:
		return "mariadb"
	}
	return fmt.Sprintf("Engine(%d)", int(e))
}

// Env names the variable in which a DSN of this engine may be given.
func (e Engine) Env() string {
	if e == MariaDB {
		return MySQLEnv
	}
	return PostgresEnv
}

// engineOps is what starting an engine takes. One value per engine.
type engineOps struct {
	// find returns the folder-qualified server binary, or says what was looked for.
	find func() (binary string, err error)
	// users may own the server process when the tests run as root; the first that exists does.
	users []string
	// initialise fills an empty data directory.
	initialise func(ctx context.Context, in *instance) error
	// args starts the server on the instance's directory and port.
	args func(in *instance) []string
	// dsn reaches the server's maintenance database.
	dsn func(port int) string
	// stop asks for the quickest shutdown that leaves no process behind. It is
	// also the signal that the kernel sends if we die first.
	stop os.Signal
}

func (e Engine) ops() engineOps {
	if e == MariaDB {
		return mariadbOps
	}
	return postgresOps
}

// Required reports whether a missing server must fail a test and not skip it.
func Required() bool { return os.Getenv(RequireEnv) == "all" }
