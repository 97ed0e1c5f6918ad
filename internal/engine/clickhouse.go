package engine

import (
	"context"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// clickhouse has no transactions, and its mutations run asynchronously: nothing is
// counted or undone here. Statements that change rows become Uncounted before they
// get this far.
type clickhouse struct{}

func (clickhouse) system() string                     { return "clickhouse" }
func (clickhouse) detectServer(context.Context) error { return nil }
func (clickhouse) mode(context.Context) (sqlscan.Mode, error) {
	return sqlscan.ClickHouse.DefaultMode(), nil
}
func (clickhouse) refineReading(context.Context, *sqlscan.Text, Form) error { return nil }
func (clickhouse) ping(context.Context) error                               { return nil }
func (clickhouse) counter(f *Flight) counter                                { return affectedCounter{f.st} }
func (clickhouse) noteChanges(*statement, bool)                             {}
func (clickhouse) forget()                                                  {}
func (clickhouse) state(context.Context) (txState, error)                   { return txIdle, nil }
func (clickhouse) frame(*Flight) frame                                      { return frame{} }
func (clickhouse) isNoTransaction(error) bool                               { return false }
func (clickhouse) isTxAborted(error) bool                                   { return false }
func (clickhouse) isTxControlError(error) bool                              { return false }
func (clickhouse) txBegan(bool) dbguard.Effect                              { return dbguard.EffectApplied }
func (clickhouse) txEnded() txState                                         { return txIdle }

func (clickhouse) find(context.Context, *target) (existence, error) { return existing, nil }
