package sqlguard

import (
	"context"
	"database/sql/driver"
)

// kept are prepared statements of texts of the session's, which are longer than
// the caller's and come again: SQLite's drivers prepare a text each time.
type kept struct {
	stmts [keep]struct {
		text string
		statement
	}
	next int
}

// keep is the number of statements that one connection keeps.
const keep = 8

// exec runs a text by its prepared statement. Where that would see other
// arguments than the driver does with a text, or hold on to large ones, the
// driver is left to it.
func (k *kept) exec(ctx context.Context, b *bare, text string, args []driver.NamedValue) (driver.Result, error) {
	if bulky(args) {
		return b.exec(ctx, text, args)
	}
	slot, err := k.prepared(ctx, b, text)
	if err != nil {
		return nil, err
	}
	if n := k.stmts[slot].NumInput(); n >= 0 && n != len(args) {
		return b.exec(ctx, text, args)
	}
	res, err := k.stmts[slot].exec(ctx, args)
	if err != nil {
		_ = k.drop(slot) // err says why
	}
	return res, err
}

// bulky reports arguments that a connection should not keep: a statement may hold
// its last ones until it runs again.
func bulky(args []driver.NamedValue) bool {
	size := 0
	for _, a := range args {
		switch v := a.Value.(type) {
		case []byte:
			size += len(v)
		case string:
			size += len(v)
		}
	}
	return size > 64<<10
}

func (k *kept) prepared(ctx context.Context, b *bare, text string) (slot int, err error) {
	for i := range k.stmts {
		if k.stmts[i].text == text {
			return i, nil
		}
	}
	s, err := b.prepare(ctx, text)
	if err != nil {
		return 0, err
	}
	slot = k.next
	_ = k.drop(slot) // the oldest makes room
	k.next = (slot + 1) % keep
	k.stmts[slot].text, k.stmts[slot].statement = text, newStatement(s)
	return slot, nil
}

func (k *kept) drop(slot int) error {
	s := &k.stmts[slot]
	if s.Stmt == nil {
		return nil
	}
	err := s.Close()
	s.text, s.statement = "", statement{}
	return err
}

// close lets go of all of them.
func (k *kept) close() {
	for i := range k.stmts {
		_ = k.drop(i) // the connection is closed after them
	}
}
