package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The environment variables that the package reads.
const (
	// PostgresEnv holds a postgres:// URL of a superuser.
	PostgresEnv = "DBGUARD_POSTGRES_DSN"
	// MariaDBEnv and MySQLEnv hold a DSN of github.com/go-sql-driver/mysql of a user with all
	// privileges, on a server of that kind: what is true of one is not of the other.
	MariaDBEnv = "DBGUARD_MARIADB_DSN"
	MySQLEnv   = "DBGUARD_MYSQL_DSN"
	// RequireEnv lists, with commas, what must not be skipped because it is missing: "all" is
	// everything but MySQL, which Debian's stable release does not have; "mysql" is that.
	RequireEnv = "DBGUARD_REQUIRE"
)

// Engine is a database server that the package can find and start.
type Engine int

// The engines.
const (
	Postgres Engine = iota
	MariaDB
	MySQL
	engines // how many there are
)

// String names the engine as test names and messages do.
func (e Engine) String() string {
	switch e {
	case Postgres:
		return "postgres"
	case MariaDB:
		return "mariadb"
	case MySQL:
		return "mysql"
	}
	return fmt.Sprintf("Engine(%d)", int(e))
}

// Env names the variable in which a DSN of this engine may be given.
func (e Engine) Env() string {
	switch e {
	case MariaDB:
		return MariaDBEnv
	case MySQL:
		return MySQLEnv
	}
	return PostgresEnv
}

// BinaryEnv names the variable in which the path of another server binary than the installed
// one may be given: one of another version.
func (e Engine) BinaryEnv() string { return "DBGUARD_" + strings.ToUpper(e.String()) + "_BINARY" }

// findBinary is the one named in the environment, or the installed one.
func (e Engine) findBinary() (string, error) {
	if path := os.Getenv(e.BinaryEnv()); path != "" {
		path, err := filepath.EvalSymlinks(path)
		if err != nil {
			return "", err
		}
		return path, executableByOthers(path)
	}
	return e.ops().find()
}

// executableByOthers fails if the unprivileged user that a server runs as cannot reach its
// binary: one that was unpacked below a home folder.
func executableByOthers(path string) error {
	for os.Geteuid() == 0 && path != "/" {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Mode()&0o001 == 0 {
			return fmt.Errorf("only root may execute what is in %s", path)
		}
		path = filepath.Dir(path)
	}
	return nil
}

// speaksMySQL reports that the engine is reached by MySQL's protocol.
func (e Engine) speaksMySQL() bool { return e == MariaDB || e == MySQL }

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
	switch e {
	case MariaDB:
		return mariadbOps
	case MySQL:
		return mysqlOps
	}
	return postgresOps
}

// Required reports whether a missing server must fail a test and not skip it.
func (e Engine) Required() bool { return required(e.String(), e != MySQL) }

// required reports whether RequireEnv lists the name, or "all" that includes it.
func required(name string, inAll bool) bool {
	list := strings.Split(os.Getenv(RequireEnv), ",")
	return slices.Contains(list, name) || inAll && slices.Contains(list, "all")
}
