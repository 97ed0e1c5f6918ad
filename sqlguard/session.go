package sqlguard

import (
	"context"
	"database/sql/driver"
)

// resetter is a connection whose driver resets it before it is reused.
type resetter struct{ c *conn }

// validator is a connection whose driver knows whether it may be reused.
type validator struct{ c *conn }

var (
	_ driver.SessionResetter = resetter{}
	_ driver.Validator       = validator{}
)

// ResetSession has the driver reset its connection, and forgets what the guard knew
// of the transaction.
func (r resetter) ResetSession(ctx context.Context) error {
	if r.c.session.Broken() {
		return driver.ErrBadConn
	}
	if err := r.c.bare.resetter.ResetSession(ctx); err != nil {
		return err
	}
	r.c.session.Reset()
	if r.c.session.Broken() {
		return driver.ErrBadConn
	}
	return nil
}

// IsValid is false once an undo has failed or a reply was lost: the pool then
// discards the connection.
func (v validator) IsValid() bool {
	return !v.c.session.Broken() && v.c.bare.validator.IsValid()
}
