//go:build go1.27

package sqlguard

import "database/sql/driver"

var _ driver.RowsColumnScanner = (*scannedRows[driver.ScanContext])(nil)

// scanning is the type of rows that has what its driver's has.
func scanning(r *rows) driver.Rows {
	if base, ok := r.Rows.(driver.RowsColumnScanner); ok {
		return newScannedRows[driver.ScanContext](r, base)
	}
	return r
}
