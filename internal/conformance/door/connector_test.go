package door

import (
	"context"
	"database/sql/driver"
)

// opaqueConnector is a connector that hides its DSN.
type opaqueConnector struct {
	driver driver.Driver
	dsn    string
}

func (h opaqueConnector) Connect(context.Context) (driver.Conn, error) { return h.driver.Open(h.dsn) }
func (h opaqueConnector) Driver() driver.Driver                        { return h.driver }
