package sqlguard

// columnScanner is what driver.RowsColumnScanner adds to driver.Rows since Go 1.27. C
// is its driver.ScanContext, a parameter so that this file compiles, and is tested,
// with every Go version.
type columnScanner[C any] interface {
	NextRow() error
	ScanColumn(scanCtx C, index int, dest any) error
}

// scannedRows are rows whose driver scans by itself: database/sql then calls NextRow
// instead of Next, and both are counted. There is no neutral way to implement NextRow
// without the driver's, hence the second type.
type scannedRows[C any] struct {
	*rows
	base columnScanner[C]
}

func newScannedRows[C any](r *rows, base columnScanner[C]) *scannedRows[C] {
	r.nextRow = base.NextRow
	return &scannedRows[C]{r, base}
}

// NextRow is Next without the values.
func (r *scannedRows[C]) NextRow() error {
	switch {
	case r.ended:
		return r.endOfRows(r.verdict)
	case r.passThrough:
		return r.base.NextRow()
	}
	return r.counted(r.base.NextRow())
}

// ScanColumn is the driver's.
func (r *scannedRows[C]) ScanColumn(scanCtx C, index int, dest any) error {
	return r.base.ScanColumn(scanCtx, index, dest)
}
