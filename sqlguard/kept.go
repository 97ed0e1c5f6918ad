package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
)

// kept are prepared statements of texts of the session's, which are longer than
// the caller's and come again, the oldest first.
type kept []keptStatement

type keptStatement struct {
	text string
	statement
}

// keep is the number of statements that are kept: there is one for each bound, and
// another one for a table that the transaction has seen.
const keep = 8

// exec runs a text by its prepared statement: SQLite's drivers prepare a text each
// time. Where that would see other arguments than the driver does with a text, or
// hold on to large ones, the driver is left to it.
func (k *kept) exec(ctx context.Context, b *bare, text string, args []driver.NamedValue) (driver.Result, error) {
	if bulky(args) {
		return b.exec(ctx, text, args)
	}
	s, err := k.prepared(ctx, b, text)
	if err != nil {
		return nil, err
	}
	if n := s.NumInput(); n >= 0 && n != len(args) {
		return b.exec(ctx, text, args)
	}
	res, err := s.exec(ctx, args)
	if err != nil {
		_ = k.drop(k.index(text)) // err says why
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

// prepared is the statement of a text, until the next call.
func (k *kept) prepared(ctx context.Context, b *bare, text string) (*statement, error) {
	if i := k.index(text); i >= 0 {
		return &(*k)[i].statement, nil
	}
	s, err := b.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	if len(*k) == keep {
		_ = k.drop(0) // to make room
	}
	*k = append(*k, keptStatement{text, newStatement(s)})
	return &(*k)[len(*k)-1].statement, nil
}

func (k *kept) index(text string) int {
	return slices.IndexFunc(*k, func(s keptStatement) bool { return s.text == text })
}

func (k *kept) drop(i int) error {
	err := (*k)[i].Close()
	*k = slices.Delete(*k, i, i+1)
	return err
}

// close lets go of all of them.
func (k *kept) close() (err error) {
	for len(*k) > 0 {
		err = errors.Join(err, k.drop(0))
	}
	return err
}
