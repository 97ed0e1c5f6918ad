package sqlguard

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dbguard/dbguard-go/dbguard"
)

// birth is an SQLite file that comes into being with a connection.
type birth struct {
	c  *connector
	op *dbguard.Operation
}

// judgeFile refuses to open an SQLite file that is not there, or holds nothing,
// without a grant: SQLite would make it. An application that looks at the wrong
// path finds its data gone, and starts anew.
func (c *connector) judgeFile(ctx context.Context) (birth, error) {
	if c.dialect != SQLite || !c.hasDSN {
		return birth{}, nil
	}
	name, path := sqliteName(c.dsn)
	if path == "" || !c.wouldCreate(path) {
		return birth{}, nil
	}
	return c.judgeCreate(ctx, name)
}

// wouldCreate reports whether SQLite would make the file. Where its folder is
// missing too SQLite can not, and says so.
func (c *connector) wouldCreate(path string) bool {
	info, err := os.Stat(path)
	if err == nil {
		return info.Mode().IsRegular() && info.Size() == 0 && !c.created.Load()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, err = os.Stat(filepath.Dir(path))
	return err == nil
}

// judgeOpened is judgeFile where the DSN is hidden: SQLite has made the file by
// now, and what tells it from one with data is that no table is in it.
func (c *connector) judgeOpened(ctx context.Context, b *bare) error {
	file, err := mainFile(ctx, b)
	if err != nil || file == "" || c.created.Load() {
		return err
	}
	empty, err := b.ask(ctx, "SELECT count(*) = 0 FROM sqlite_master")
	if err != nil || empty != "1" {
		return nil // locked or encrypted: there is something
	}
	birth, err := c.judgeCreate(ctx, file)
	if err != nil {
		return err
	}
	return birth.done()
}

func (c *connector) judgeCreate(ctx context.Context, name string) (birth, error) {
	op, err := c.guard.Begin(ctx, dbguard.Op{
		System: "sqlite", Namespace: name, Name: "OPEN", Summary: "OPEN " + name, Statements: 1,
		Acts: []dbguard.Act{{Verb: dbguard.Create, Object: name}},
	}, nil)
	return birth{c, op}, err
}

// done tells that the file is there.
func (b birth) done() error {
	if b.op == nil {
		return nil
	}
	b.c.created.Store(true)
	return b.op.End(dbguard.EffectApplied, nil)
}

// failed tells that the connection could not be opened, and returns its error.
func (b birth) failed(err error) error {
	if b.op == nil {
		return err
	}
	return b.op.End(dbguard.EffectNone, err)
}

// mainFile is the path of the main database's file, "" if it has none.
func mainFile(ctx context.Context, b *bare) (file string, err error) {
	err = helper{b}.Query(ctx, "PRAGMA database_list", func(values []any) error {
		if len(values) >= 3 && text(values[1]) == "main" {
			file = text(values[2])
		}
		return nil
	})
	return file, err
}
