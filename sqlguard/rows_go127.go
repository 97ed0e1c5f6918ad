//go:build go1.27

package sqlguard

import "database/sql/driver"

var _ driver.RowsColumnScanner = (*scannedRows[driver.ScanContext])(nil)

// withScanner adds what the driver's rows can do to the type.
func withScanner(r *rows) driver.Rows {
	if base, ok := r.Rows.(driver.RowsColumnScanner); ok {
		return newScannedRows[driver.ScanContext](r, base)
	}
	return r
}
