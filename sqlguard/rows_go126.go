//go:build !go1.27

package sqlguard

import "database/sql/driver"

// scanning is the type of rows that has what its driver's has.
func scanning(r *rows) driver.Rows { return r }
