package sqlguard

import (
	"database/sql/driver"
	"reflect"
)

// columnType is what a driver reports about the type of a column.
type columnType struct {
	scan             reflect.Type
	name             string
	length           int64
	precision, scale int64
	sized, measured  bool // length is known; precision and scale are
	nullable, sure   bool // sure: whether it is nullable is known
}

// readColumnTypes gets the types while the driver's rows are open. SQLite's drivers
// ask the statement, which is freed with them.
func (r *rows) readColumnTypes() {
	kinds := make([]columnType, len(r.Columns()))
	for i := range kinds {
		k := &kinds[i]
		k.scan, k.name = r.ColumnTypeScanType(i), r.ColumnTypeDatabaseTypeName(i)
		k.length, k.sized = r.ColumnTypeLength(i)
		k.nullable, k.sure = r.ColumnTypeNullable(i)
		k.precision, k.scale, k.measured = r.ColumnTypePrecisionScale(i)
	}
	r.columnTypes = kinds
}

// ColumnTypeScanType is any if the driver does not say.
func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	if r.columnTypes != nil {
		return r.columnTypes[i].scan
	}
	if t, ok := r.Rows.(driver.RowsColumnTypeScanType); ok {
		return t.ColumnTypeScanType(i)
	}
	return reflect.TypeFor[any]()
}

// ColumnTypeDatabaseTypeName is empty if the driver does not say.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	if r.columnTypes != nil {
		return r.columnTypes[i].name
	}
	if t, ok := r.Rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return t.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}

// ColumnTypeLength is not known if the driver does not say.
func (r *rows) ColumnTypeLength(i int) (int64, bool) {
	if r.columnTypes != nil {
		return r.columnTypes[i].length, r.columnTypes[i].sized
	}
	if t, ok := r.Rows.(driver.RowsColumnTypeLength); ok {
		return t.ColumnTypeLength(i)
	}
	return 0, false
}

// ColumnTypeNullable is not known if the driver does not say.
func (r *rows) ColumnTypeNullable(i int) (nullable, ok bool) {
	if r.columnTypes != nil {
		return r.columnTypes[i].nullable, r.columnTypes[i].sure
	}
	if t, ok := r.Rows.(driver.RowsColumnTypeNullable); ok {
		return t.ColumnTypeNullable(i)
	}
	return false, false
}

// ColumnTypePrecisionScale is not known if the driver does not say.
func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	if r.columnTypes != nil {
		return r.columnTypes[i].precision, r.columnTypes[i].scale, r.columnTypes[i].measured
	}
	if t, ok := r.Rows.(driver.RowsColumnTypePrecisionScale); ok {
		return t.ColumnTypePrecisionScale(i)
	}
	return 0, 0, false
}
