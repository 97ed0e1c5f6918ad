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

// errConflict is returned where the server has rolled back a transaction before the
// statement was sent.
var errConflict = errors.New("dbguard: the server has rolled back the transaction for a conflict with another node: run it again")

// errTxLost is returned for a COMMIT that found nothing to commit.
var errTxLost = errors.New("dbguard: the transaction was rolled back before its COMMIT, because a statement could not be undone alone")

// connectionLost reports that err leaves open whether the server ran what it was
// sent. An embedded engine always knows.
func (s *Session) connectionLost(err error) bool {
	return s.dialect != sqlscan.SQLite && isConnectionLost(err)
}

// isConnectionLost is connectionLost for a client/server engine.
func isConnectionLost(err error) bool {
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
		err.Error() == "conn closed" // pgx's ErrConnClosed, also returned for a COMMIT whose reply was lost
}

// badMessages are what PostgreSQL reports of arguments: a wrong number of them, or a format that
// it cannot read. The connection survives; poolers use the same code for lost connections.
var badMessages = []string{"bind message", "invalid message format", "left in message", "invalid string in message"}

// sqlState is the SQLSTATE that a PostgreSQL driver's error carries.
func sqlState(err error) string {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}

// hideBadConn makes an error safe to return once a statement may have run: on
// driver.ErrBadConn, database/sql would run it again on another connection.
func hideBadConn(err error) error {
	if errors.Is(err, driver.ErrBadConn) {
		return &lostError{err}
	}
	return err
}

// lostError wraps a cause, but does not match driver.ErrBadConn.
type lostError struct{ cause error }

func (e *lostError) Error() string { return "connection lost: " + e.cause.Error() }

func (e *lostError) Is(target error) bool {
	return target != driver.ErrBadConn && errors.Is(e.cause, target)
}

func (e *lostError) As(target any) bool { return errors.As(e.cause, target) }

// mysqlError matches the error number with which the drivers' messages begin. The
// rest of the message is in the server's language and may contain any other number.
func mysqlError(err error, number string) bool {
	rest, ok := strings.CutPrefix(err.Error(), "Error "+number)
	return ok && (strings.HasPrefix(rest, " (") || strings.HasPrefix(rest, ":"))
}

// isConflict reports the MySQL error after which the transaction has been rolled
// back: ER_LOCK_DEADLOCK, also raised for a conflict between cluster nodes.
func isConflict(err error) bool { return err != nil && mysqlError(err, "1213") }

// fatalError filters the error of a query of the guard's. It returns nil if the error
// means only that the query got no answer, and err if the caller's statement would
// have met it, too: a lost connection, a deadlock (1213), a lock wait timeout (1205),
// KILL QUERY (1317) or a time limit (1969, 3024).
func fatalError(err error) error {
	if isConnectionLost(err) || err != nil && slices.ContainsFunc([]string{"1213", "1205", "1317", "1969", "3024"}, func(n string) bool { return mysqlError(err, n) }) {
		return err
	}
	return nil
}
