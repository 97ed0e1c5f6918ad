//go:build !go1.27

package sqlguard

import "database/sql/driver"

// withScanner adds what the driver's rows can do to the type.
func withScanner(r *rows) driver.Rows { return r }
