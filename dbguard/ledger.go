package dbguard

import (
	"context"
	"slices"
)

// Ledger remembers what one transaction of the caller's has changed, so that a
// rollback gives budgets back and tells observers. It belongs to one
// connection and is not safe for concurrent use. A nil Ledger remembers nothing.
type Ledger struct {
	guard   *Guard
	last    Op // the transaction's own operation: system and namespace
	rows    int64
	tables  []TableRows
	charges map[*budget]int64
}

// NewLedger starts the account of a transaction.
func (g *Guard) NewLedger() *Ledger { return &Ledger{guard: g} }

func (l *Ledger) add(o *Operation) {
	if l == nil {
		return
	}
	l.last = o.op
	if o.count.Rows > 0 {
		l.rows += o.count.Rows
		l.addTables(o.count)
	}
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

func (l *Ledger) addTables(c Count) {
	for _, t := range c.Tables {
		i := slices.IndexFunc(l.tables, func(have TableRows) bool { return have.Table == t.Table })
		if i < 0 {
			l.tables = append(l.tables, TableRows{Table: t.Table})
			i = len(l.tables) - 1
		}
		l.tables[i].Rows += t.Rows
	}
}

// empty reports whether the transaction destroyed nothing that is known of.
func (l *Ledger) empty() bool { return l == nil || (l.rows == 0 && len(l.charges) == 0) }

// End closes the transaction's account. effect is what became of it:
// EffectApplied, EffectUndone or, when the reply to its COMMIT was lost,
// EffectUnknown; err is what ended it. It returns the error that the caller
// must see: a *Violation of rule Unconfirmed if rows may or may not have
// changed, else err itself.
func (l *Ledger) End(ctx context.Context, effect Effect, err error) error {
	if l.empty() || effect == EffectApplied {
		return err
	}
	o := &Operation{guard: l.guard, op: l.operation(effect), scope: noScope, bound: limitation{limit: -1}}
	o.count = Count{Rows: l.rows, Tables: l.tables}
	o.open(ctx)
	if effect == EffectUnknown {
		return o.End(effect, err)
	}
	for b, n := range l.charges {
		b.refund(n)
	}
	e := o.event(effect, err)
	e.Outcome = OutcomeUndone
	o.guard.tell(o.ctx, o.span, e)
	return err
}

func (l *Ledger) operation(effect Effect) Op {
	op := Op{System: l.last.System, Namespace: l.last.Namespace, Name: "ROLLBACK", Summary: "ROLLBACK", Text: "ROLLBACK", Statements: 1}
	if effect == EffectUnknown {
		op.Name, op.Summary, op.Text = "COMMIT", "COMMIT", "COMMIT"
	}
	return op
}
