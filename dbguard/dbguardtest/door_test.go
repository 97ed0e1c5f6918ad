package dbguardtest_test

import (
	"context"
	"fmt"

	"github.com/dbguard/dbguard-go/dbguard"
)

// erase stands for code of an application: a DELETE that finds so many rows.
// A database is played by the four calls that sqlguard makes.
func erase(ctx context.Context, g *dbguard.Guard, table string, rows int64, ledger *dbguard.Ledger) error {
	return perform(ctx, g, deletion(table), dbguard.Count{Rows: rows}, ledger)
}

func deletion(table string) dbguard.Op {
	return dbguard.Op{
		System: "sqlite", Name: "DELETE", Summary: "DELETE " + table, Text: "DELETE FROM " + table + " WHERE id = ?",
		Statements: 1, Acts: []dbguard.Act{{Verb: dbguard.Delete, Object: table}},
	}
}

func perform(ctx context.Context, g *dbguard.Guard, op dbguard.Op, count dbguard.Count, ledger *dbguard.Ledger) error {
	o, err := g.Begin(ctx, op, ledger)
	if err != nil {
		return err
	}
	if o.Settle(count) != nil {
		return o.End(dbguard.EffectUndone, nil)
	}
	return o.End(dbguard.EffectApplied, nil)
}

// printer is a *testing.T that prints.
type printer struct{}

func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
