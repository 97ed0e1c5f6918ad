package sqlscan

import "testing"

func BenchmarkAlwaysTrue(b *testing.B) {
	for _, row := range []struct {
		name, where string
		dialect     Dialect
	}{
		{"key", "id = $1", PostgreSQL},
		{"key-mysql", "`id` = ?", MySQL},
		{"two", "tenant_id = $1 AND order_id = $2", PostgreSQL},
		{"gorm", `"users"."id" = $1 AND "users"."deleted_at" IS NULL`, PostgreSQL},
		{"constant", "1=1", PostgreSQL},
		{"or", "a = 1 OR b = 2 OR c IN (1, 2, 3)", PostgreSQL},
		{"list", longConditions(100_000)["a list"], MySQL},
		{"list-with-or", "(" + longConditions(100_000)["a list"] + ") OR y = 1", MySQL},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.SetBytes(int64(len(row.where)))
			b.ReportAllocs()
			for b.Loop() {
				provesAll(row.where, row.dialect)
			}
		})
	}
}
