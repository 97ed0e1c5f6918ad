package sqlguard

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/engine"
)

// fileCreation is an SQLite file that is created when a connection is opened.
type fileCreation struct {
	c  *connector
	op *dbguard.Operation
}

// judgeFile refuses to open an SQLite file that does not exist, or is empty, without
// a grant: SQLite would create it. An application that looks at the wrong path would
// find its data gone, and start with none.
func (c *connector) judgeFile(ctx context.Context) (fileCreation, error) {
	if c.dialect != SQLite || !c.hasDSN {
		return fileCreation{}, nil
	}
	name, path := sqliteName(c.dsn)
	if path == "" || !c.wouldCreate(path) {
		return fileCreation{}, nil
	}
	return c.judgeCreate(ctx, name)
}

// wouldCreate reports whether SQLite would create the file. If its folder is missing,
// too, SQLite cannot, and says so.
func (c *connector) wouldCreate(path string) bool {
	info, err := os.Stat(path)
	if err == nil {
		return info.Mode().IsRegular() && info.Size() == 0 && !c.fileCreated.Load()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, err = os.Stat(filepath.Dir(path))
	return err == nil
}

// judgeOpened is judgeFile if the DSN is not known: SQLite has created the file by
// now, and what distinguishes it from one with data is that it has no table.
func (c *connector) judgeOpened(ctx context.Context, b *bare) error {
	file, err := mainFile(ctx, b)
	if err != nil || file == "" || c.fileCreated.Load() {
		return err
	}
	empty, err := b.ask(ctx, "SELECT count(*) = 0 FROM sqlite_master")
	if err != nil || empty != "1" {
		return nil // locked or encrypted: there is something in it
	}
	birth, err := c.judgeCreate(ctx, file)
	if err != nil {
		return err
	}
	return birth.done()
}

func (c *connector) judgeCreate(ctx context.Context, name string) (fileCreation, error) {
	op, err := c.guard.Begin(ctx, dbguard.Op{
		System: "sqlite", Namespace: name, Name: "OPEN", Summary: "OPEN " + name, Statements: 1,
		Acts: []dbguard.Act{{Verb: dbguard.Create, Object: name}},
	}, nil)
	return fileCreation{c, op}, err
}

// done reports that the file exists.
func (b fileCreation) done() error {
	if b.op == nil {
		return nil
	}
	b.c.fileCreated.Store(true)
	return b.op.End(dbguard.EffectApplied, nil)
}

// failed reports that the connection could not be opened, and returns its error.
func (b fileCreation) failed(err error) error {
	if b.op == nil {
		return err
	}
	return b.op.End(dbguard.EffectNone, err)
}

// mainFile is the path of the main database's file, "" if it has none.
func mainFile(ctx context.Context, b *bare) (file string, err error) {
	err = sessionConn{b}.Query(ctx, "PRAGMA database_list", func(values []any) error {
		if len(values) >= 3 && engine.AsText(values[1]) == "main" {
			file = engine.AsText(values[2])
		}
		return nil
	})
	return file, err
}
