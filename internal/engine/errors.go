package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// errConflict is told where the server has rolled back a transaction before the
// statement was sent.
var errConflict = errors.New("dbguard: the server has rolled back the transaction for a conflict with another node: run it again")

// errTxLost is told at a COMMIT that found nothing to commit.
var errTxLost = errors.New("dbguard: the transaction was rolled back before its COMMIT, because a statement could not be undone alone")

// lose reports that err leaves open whether the server did what it was sent.
// An embedded engine always knows.
func (s *Session) lose(err error) bool { return s.dialect != sqlscan.SQLite && loses(err) }

// loses is lose of a server.
func loses(err error) bool {
	if err == nil {
		return false
	}
	switch state := sqlState(err); {
	case state == "08P01" && slices.ContainsFunc(badMessages, func(words string) bool { return strings.Contains(err.Error(), words) }):
		return false
	case strings.HasPrefix(state, "08"), strings.HasPrefix(state, "57P"): // connection, shutdown
		return true
	case state != "":
		return false
	}
	var netErr net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.As(err, &netErr) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		err.Error() == "invalid connection" || // go-sql-driver/mysql's ErrInvalidConn
		err.Error() == "conn closed" // pgx's ErrConnClosed, its answer to a COMMIT whose reply was lost too
}

// badMessages are what PostgreSQL says of arguments: not as many as parameters, or in a form
// that it cannot read. The connection lives on; poolers use the same code for those that do not.
var badMessages = []string{"bind message", "invalid message format", "left in message", "invalid string in message"}

// sqlState is the SQLSTATE that a PostgreSQL driver's error carries.
func sqlState(err error) string {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}

// hide makes an error safe to return once a statement may have run: database/sql
// runs it again on another connection where it finds driver.ErrBadConn.
func hide(err error) error {
	if errors.Is(err, driver.ErrBadConn) {
		return &lostError{err}
	}
	return err
}

// lostError is a cause without driver.ErrBadConn in it.
type lostError struct{ cause error }

func (e *lostError) Error() string { return "connection lost: " + e.cause.Error() }

func (e *lostError) Is(target error) bool {
	return target != driver.ErrBadConn && errors.Is(e.cause, target)
}

func (e *lostError) As(target any) bool { return errors.As(e.cause, target) }

// mysqlError knows an error by the number that drivers begin it with: the text
// is in the server's language, and may hold any other number.
func mysqlError(err error, number string) bool {
	rest, ok := strings.CutPrefix(err.Error(), "Error "+number)
	return ok && (strings.HasPrefix(rest, " (") || strings.HasPrefix(rest, ":"))
}

// isConflict reports an error of MySQL's for which it has rolled back the
// transaction: ER_LOCK_DEADLOCK, also of a conflict between nodes.
func isConflict(err error) bool { return err != nil && mysqlError(err, "1213") }

// graveError is nil for an error that only says that a question was not answered:
// not for a lost connection, a deadlock (1213), a lock that was not had (1205), or a
// KILL QUERY (1317) or time limit (1969, 3024), which the statement would have met
// itself.
func graveError(err error) error {
	if loses(err) || err != nil && slices.ContainsFunc([]string{"1213", "1205", "1317", "1969", "3024"}, func(n string) bool { return mysqlError(err, n) }) {
		return err
	}
	return nil
}
