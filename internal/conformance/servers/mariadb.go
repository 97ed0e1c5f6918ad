package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

var mariadbOps = engineOps{
	find:       findMariaDB,
	users:      []string{"mysql", "nobody"},
	initialise: initMariaDB,
	args:       mariadbArgs,
	dsn: func(port int) string {
		return fmt.Sprintf("root@tcp(127.0.0.1:%d)/", port)
	},
	stop: syscall.SIGKILL, // an orderly shutdown takes seconds, for data that is thrown away
}

func findMariaDB() (string, error) {
	if path, err := exec.LookPath("mariadbd"); err == nil {
		return path, nil
	}
	const sbin = "/usr/sbin/mariadbd" // not in the path of an ordinary Debian user
	if _, err := os.Stat(sbin); err != nil {
		return "", fmt.Errorf("no mariadbd in PATH and no %s", sbin)
	}
	return sbin, nil
}

// initMariaDB does what mariadb-install-db does without the help texts, and
// without my_print_defaults, which Debian packages elsewhere than the server.
func initMariaDB(ctx context.Context, in *instance) error {
	// Bootstrap mode reads one statement per line.
	script := bytes.NewBufferString("CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n")
	for _, name := range []string{"system_tables", "performance_tables", "system_tables_data"} {
		text, err := os.ReadFile(filepath.Join(shareOf(in.binary), "mysql_"+name+".sql"))
		if errors.Is(err, fs.ErrNotExist) { // since 11
			text, err = os.ReadFile(filepath.Join(shareOf(in.binary), "mariadb_"+name+".sql"))
		}
		if err != nil {
			return err
		}
		script.Write(text)
	}
	return in.run(ctx, script, in.binary, append(mariadbCommon(in), "--bootstrap", "--log-warnings=0",
		"--max-allowed-packet=8M", "--enforce-storage-engine=")...)
}

// usrOf is the folder of which the binary is in sbin.
func usrOf(binary string) string { return filepath.Dir(filepath.Dir(binary)) }

// shareOf is the folder of the server's messages, character sets and scripts.
func shareOf(binary string) string {
	share := filepath.Join(usrOf(binary), "share")
	if newer := filepath.Join(share, "mariadb"); isFolder(newer) && !isFolder(filepath.Join(share, "mysql")) {
		return newer
	}
	return filepath.Join(share, "mysql")
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// mariadbCommon are the arguments of MariaDB and MySQL. Compiled into the binary are the folders of
// the package, which may have been unpacked elsewhere.
func mariadbCommon(in *instance) []string {
	args := []string{
		"--no-defaults", "--datadir=" + in.data, "--skip-log-bin", "--innodb-use-native-aio=0",
		"--tmpdir=" + in.dir, // a server that starts removes the temporary tables of others in a common one
		"--basedir=" + usrOf(in.binary), "--lc-messages-dir=" + shareOf(in.binary),
		"--character-sets-dir=" + filepath.Join(shareOf(in.binary), "charsets"),
	}
	if !in.durable {
		// Commits still reach the operating system, which outlives a killed server.
		args = append(args, "--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0")
	}
	return args
}

func mariadbArgs(in *instance) []string {
	return append(mariadbCommon(in), append(mariadbListen(in), "--skip-name-resolve")...)
}

func mariadbListen(in *instance) []string {
	return []string{
		"--bind-address=127.0.0.1", fmt.Sprintf("--port=%d", in.port),
		"--socket=" + filepath.Join(in.dir, "s"), // an address of at most 107 bytes
		"--pid-file=" + filepath.Join(in.data, "pid"),
		"--max-connections=300", "--character-set-server=utf8mb4",
		"--innodb-buffer-pool-size=64M", "--performance-schema=off",
	}
}
