package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
)

// stmtCache is a cache of prepared statements of the session's texts, which are
// longer than the caller's and come again; the oldest first.
type stmtCache []cachedStmt

type cachedStmt struct {
	text string
	statement
}

// maxCachedStmts is the number of statements that are cached: a text has a rewrite
// for each bound, and another one once the transaction has locked the table.
const maxCachedStmts = 8

// exec runs a text by its prepared statement: SQLite's drivers would prepare it each
// time. Where that would bind other arguments than the driver does for a text, or
// keep large ones in memory, it is left to the driver.
func (k *stmtCache) exec(ctx context.Context, b *bare, text string, args []driver.NamedValue) (driver.Result, error) {
	if tooLarge(args) {
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

// tooLarge reports arguments that a connection should not keep: a statement may hold
// its last ones until it runs again.
func tooLarge(args []driver.NamedValue) bool {
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

// prepared is the statement of a text, valid until the next call.
func (k *stmtCache) prepared(ctx context.Context, b *bare, text string) (*statement, error) {
	if i := k.index(text); i >= 0 {
		return &(*k)[i].statement, nil
	}
	s, err := b.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	if len(*k) == maxCachedStmts {
		_ = k.drop(0) // to make room
	}
	*k = append(*k, cachedStmt{text, newStatement(s)})
	return &(*k)[len(*k)-1].statement, nil
}

func (k *stmtCache) index(text string) int {
	return slices.IndexFunc(*k, func(s cachedStmt) bool { return s.text == text })
}

func (k *stmtCache) drop(i int) error {
	err := (*k)[i].Close()
	*k = slices.Delete(*k, i, i+1)
	return err
}

// close closes all of them.
func (k *stmtCache) close() (err error) {
	for len(*k) > 0 {
		err = errors.Join(err, k.drop(0))
	}
	return err
}
