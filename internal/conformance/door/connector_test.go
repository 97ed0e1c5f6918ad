package door

import (
	"context"
	"database/sql/driver"
)

// hidden is a connector of which nobody knows the DSN.
type hidden struct {
	driver driver.Driver
	dsn    string
}

func (h hidden) Connect(context.Context) (driver.Conn, error) { return h.driver.Open(h.dsn) }
func (h hidden) Driver() driver.Driver                        { return h.driver }
