package sqlguard

import (
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestConnTypes walks the sixteen types: each has the interfaces that its
// place in the table says, no other, and what is always there.
func TestConnTypes(t *testing.T) {
	for i, make := range connTypes {
		has := capability(i)
		c := make(&conn{})
		_, isExecer := c.(driver.ExecerContext)
		_, isQueryer := c.(driver.QueryerContext)
		_, isResetter := c.(driver.SessionResetter)
		_, isValidator := c.(driver.Validator)
		assert.Equal(t, has&execs != 0, isExecer, "%04b: ExecerContext", has)
		assert.Equal(t, has&queries != 0, isQueryer, "%04b: QueryerContext", has)
		assert.Equal(t, has&resets != 0, isResetter, "%04b: SessionResetter", has)
		assert.Equal(t, has&validates != 0, isValidator, "%04b: Validator", has)
		assert.Implements(t, (*driver.ConnBeginTx)(nil), c)
		assert.Implements(t, (*driver.ConnPrepareContext)(nil), c)
		assert.Implements(t, (*driver.NamedValueChecker)(nil), c)
		assert.Implements(t, (*driver.Pinger)(nil), c)
		assert.Implements(t, (*wrapper)(nil), c)
	}
}
