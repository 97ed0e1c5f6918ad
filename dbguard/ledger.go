package dbguard

import (
	"context"
	"slices"
	"sync/atomic"
)

// Ledger records what one transaction of the caller's has changed, so that a rollback
// refunds budgets and is reported to observers. It belongs to one connection and is
// not safe for concurrent use. A nil Ledger records nothing.
type Ledger struct {
	guard         *Guard
	id            uint64
	last          Op // for the transaction's system and namespace
	rows          int64
	uncounted     bool // there are more than rows
	structureLost bool // a table or database was dropped, emptied or altered
	tables        []TableRows
	charges       map[*budget]int64
}

// transactions numbers them, so that observers of several guards can tell them apart.
var transactions atomic.Uint64

// NewLedger starts the ledger of a transaction.
func (g *Guard) NewLedger() *Ledger { return &Ledger{guard: g, id: transactions.Add(1)} }

// transactionID is the transaction's number, 0 outside of one.
func (l *Ledger) transactionID() uint64 {
	if l == nil {
		return 0
	}
	return l.id
}

func (l *Ledger) add(o *Operation) {
	if l == nil {
		return
	}
	l.last = o.op
	for _, a := range o.op.Acts {
		l.uncounted = l.uncounted || (o.count.Rows < 0 && a.Verb.MayChangeRows())
		l.structureLost = l.structureLost || a.Verb.LosesStructure()
	}
	l.addRows(o)
	if o.charged == 0 {
		return
	}
	if l.charges == nil {
		l.charges = make(map[*budget]int64)
	}
	for _, b := range o.scope.budgets {
		l.charges[b] += o.charged
	}
}

func (l *Ledger) addRows(o *Operation) {
	if o.count.Rows <= 0 {
		return
	}
	l.rows += o.count.Rows
	for _, t := range tablesOf(&o.op, o.count) {
		i := slices.IndexFunc(l.tables, func(have TableRows) bool { return have.Table == t.Table })
		if i < 0 {
			l.tables = append(l.tables, TableRows{Table: t.Table})
			i = len(l.tables) - 1
		}
		l.tables[i].Rows += t.Rows
	}
}

// tablesOf is where the rows are. If the engine does not say, they are in the named
// table, if there is only one.
func tablesOf(op *Op, c Count) []TableRows {
	if len(c.Tables) > 0 || c.Rows <= 0 {
		return c.Tables
	}
	if table := op.onlyObject(); table != "" {
		return []TableRows{{Table: table, Rows: c.Rows}}
	}
	return nil
}

// empty reports whether the transaction has destroyed nothing.
func (l *Ledger) empty() bool {
	return l == nil || (l.rows == 0 && !l.uncounted && !l.structureLost && len(l.charges) == 0)
}

// End closes the transaction's ledger. effect is what became of the transaction:
// EffectApplied, EffectUndone or, if the reply to its COMMIT was lost, EffectUnknown;
// err is what ended it. It returns the error for the caller: a *Violation of rule
// Unconfirmed if rows may or may not have changed, else err itself. The Ledger is
// empty afterwards.
func (l *Ledger) End(ctx context.Context, effect Effect, err error) error {
	if l.empty() {
		return err
	}
	account := *l
	*l = *l.guard.NewLedger()
	if effect == EffectApplied {
		account.guard.tracer.addRows(ctx, account.last.System, account.rows)
		return err
	}
	return account.close(ctx, effect, err)
}

// close reports a transaction that did not, or may not, take effect.
func (l *Ledger) close(ctx context.Context, effect Effect, err error) error {
	o := &Operation{guard: l.guard, op: l.operation(effect), scope: noScope, bound: noBound}
	o.count = Count{Rows: l.rows, Tables: l.tables}
	if l.uncounted {
		o.count.Rows = -1
	}
	o.open(ctx)
	if effect == EffectUnknown {
		err = o.unconfirmed(err)
	} else {
		for b, n := range l.charges {
			b.refund(n)
		}
	}
	e := o.event(effect, err)
	e.Transaction, e.TransactionEnd = l.id, true
	if effect != EffectUnknown {
		e.Outcome = OutcomeUndone
	}
	o.guard.report(o.ctx, o.span, e)
	return err
}

func (l *Ledger) operation(effect Effect) Op {
	name := "ROLLBACK"
	if effect == EffectUnknown {
		name = "COMMIT"
	}
	return Op{
		System: l.last.System, Namespace: l.last.Namespace,
		Name: name, Summary: name, Text: name, Statements: 1,
	}
}
