package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
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
	case state == "08P01" && strings.Contains(err.Error(), "bind message"):
		return false // not as many arguments as parameters; poolers use the same code for connections
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
