package sqlguard

import (
	"database/sql/driver"
	"reflect"
)

// columnKind is what a driver tells of the type of a column.
type columnKind struct {
	scan             reflect.Type
	name             string
	length           int64
	precision, scale int64
	sized, measured  bool // length, precision and scale are known
	nullable, sure   bool // sure: whether it is nullable is known
}

// keepKinds asks for the types while the driver's rows are open. Those of SQLite look
// into the statement, which is freed with them.
func (r *rows) keepKinds() {
	kinds := make([]columnKind, len(r.Columns()))
	for i := range kinds {
		k := &kinds[i]
		k.scan, k.name = r.ColumnTypeScanType(i), r.ColumnTypeDatabaseTypeName(i)
		k.length, k.sized = r.ColumnTypeLength(i)
		k.nullable, k.sure = r.ColumnTypeNullable(i)
		k.precision, k.scale, k.measured = r.ColumnTypePrecisionScale(i)
	}
	r.kinds = kinds
}

// ColumnTypeScanType is any where the driver does not say.
func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	if r.kinds != nil {
		return r.kinds[i].scan
	}
	if t, ok := r.Rows.(driver.RowsColumnTypeScanType); ok {
		return t.ColumnTypeScanType(i)
	}
	return reflect.TypeFor[any]()
}

// ColumnTypeDatabaseTypeName is empty where the driver does not say.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	if r.kinds != nil {
		return r.kinds[i].name
	}
	if t, ok := r.Rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return t.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}

// ColumnTypeLength is not known where the driver does not say.
func (r *rows) ColumnTypeLength(i int) (int64, bool) {
	if r.kinds != nil {
		return r.kinds[i].length, r.kinds[i].sized
	}
	if t, ok := r.Rows.(driver.RowsColumnTypeLength); ok {
		return t.ColumnTypeLength(i)
	}
	return 0, false
}

// ColumnTypeNullable is not known where the driver does not say.
func (r *rows) ColumnTypeNullable(i int) (nullable, ok bool) {
	if r.kinds != nil {
		return r.kinds[i].nullable, r.kinds[i].sure
	}
	if t, ok := r.Rows.(driver.RowsColumnTypeNullable); ok {
		return t.ColumnTypeNullable(i)
	}
	return false, false
}

// ColumnTypePrecisionScale is not known where the driver does not say.
func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	if r.kinds != nil {
		return r.kinds[i].precision, r.kinds[i].scale, r.kinds[i].measured
	}
	if t, ok := r.Rows.(driver.RowsColumnTypePrecisionScale); ok {
		return t.ColumnTypePrecisionScale(i)
	}
	return 0, 0, false
}
