// Package crash kills clients and servers between a statement and its COMMIT.
package crash

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// childEnv makes the test binary a client that is to be killed: "script driver dsn".
const childEnv = "DBGUARD_CRASH_CHILD"

func TestMain(m *testing.M) {
	if order := os.Getenv(childEnv); order != "" {
		if err := child(strings.SplitN(order, " ", 3)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	servers.Main(m)
}

// The statements of the scripts. Each changes ten rows; increment and
// then deletion change twenty.
const (
	increment = "UPDATE item SET v = v + 1 WHERE id <= 10"
	deletion  = "DELETE FROM item WHERE id > 10 AND id <= 20"
)

// commit matches the message and not "autocommit" or "read committed".
const commit = `[^o]commit\b`

// execution matches MySQL's message that executes a statement which was prepared with two
// integers for its bound.
const execution = `\x17.{4}\x00\x01\x00\x00\x00\x00\x01\x08\x00\x08\x00`

// commitPattern matches the message that makes the script's changes final.
func commitPattern(s *stage.Stage, script string) string {
	if commitsInOneMessage(script) {
		return deletionPattern(s, script)
	}
	return commit
}

// deletionPattern matches the message by which the script deletes.
func deletionPattern(s *stage.Stage, script string) string {
	if s.Engine == target.MySQL && commitsInOneMessage(script) {
		return execution
	}
	return "delete from (only )?item"
}

// commitsInOneMessage reports a bounded statement outside of a transaction.
func commitsInOneMessage(script string) bool { return script == "autocommit" }

// scripts are what a client does.
var scripts = map[string]func(ctx context.Context, db *sql.DB) error{
	"autocommit": func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, deletion)
		return err
	},
	"transaction": func(ctx context.Context, db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		for _, text := range []string{increment, deletion} {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return err
			}
		}
		return tx.Commit()
	},
	// loop changes groups of ten rows, one statement each, until it is killed, and
	// tries to change more.
	"loop": func(ctx context.Context, db *sql.DB) error {
		fmt.Println("begun")
		for {
			for group := range stage.Rows / 10 {
				_, err := db.ExecContext(ctx, fmt.Sprintf("UPDATE item SET v = v + 1 WHERE id > %d AND id <= %d", group*10, group*10+10))
				if err != nil {
					return err
				}
				if _, err := db.ExecContext(ctx, "UPDATE item SET v = v + 1 WHERE id > 5 AND id <= 40"); err == nil {
					return fmt.Errorf("35 rows were changed with a bound of 10")
				}
			}
		}
	},
}

func child(order []string) error {
	g, err := dbguard.New(dbguard.Policy{})
	if err != nil {
		return err
	}
	db, err := sqlguard.Open(order[1], order[2], g)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	return scripts[order[0]](dbguard.AtMost(context.Background(), 10), db)
}

// start runs a script in a process of its own.
func start(t *testing.T, script, driver, dsn string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{script, driver, dsn}, " "))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// kill ends the process with SIGKILL.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	require.NoError(t, cmd.Process.Kill())
	require.ErrorContains(t, cmd.Wait(), "killed", "it was still at work")
}
