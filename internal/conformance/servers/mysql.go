package servers

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

var mysqlOps = engineOps{
	find:       findMySQL,
	users:      mariadbOps.users,
	initialise: initMySQL,
	args:       mysqlArgs,
	dsn:        mariadbOps.dsn,
	stop:       syscall.SIGKILL, // as for MariaDB
}

// isMariaDB reads what a server or its binary says of its version.
func isMariaDB(version string) bool { return strings.Contains(strings.ToLower(version), "mariadb") }

// findMySQL finds the binary that MariaDB's packages have, too: older ones as their server,
// newer ones as a link to it.
func findMySQL() (string, error) {
	if path, err := exec.LookPath("mysqld"); err == nil && mustBeMySQL(path) == nil {
		return path, nil
	}
	const sbin = "/usr/sbin/mysqld" // not in the path of an ordinary Debian user
	if err := mustBeMySQL(sbin); err != nil {
		return "", fmt.Errorf("no mysqld in PATH, and %w", err)
	}
	return sbin, nil
}

func mustBeMySQL(path string) error {
	version, err := exec.Command(path, "--no-defaults", "--version").Output()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	_, number, _ := strings.Cut(string(version), "Ver ") // before it is a path, through links
	if isMariaDB(number) {
		return errors.New(path + " is MariaDB's")
	}
	return nil
}

func initMySQL(ctx context.Context, in *instance) error {
	return in.run(ctx, nil, in.binary, append(mariadbCommon(in), "--initialize-insecure")...)
}

func mysqlArgs(in *instance) []string {
	return append(mariadbCommon(in), append(mariadbListen(in), "--mysqlx=OFF", "--secure-file-priv=", "--local-infile=ON",
		"--plugin-dir="+filepath.Join(usrOf(in.binary), "lib/mysql/plugin"))...)
}
