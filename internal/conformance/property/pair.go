package property

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/snapshot"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// A pair is two databases: cases are run bare on one and guarded on the other. Its connections
// serve many cases, as those of a pool do: what the guard caches of one schema must not
// mislead it about the next.
type pair struct {
	bare, guarded *side
	seeds         []uint64 // the seeds that the guarded connection has seen
}

// A side is one database of a pair.
type side struct {
	target.Target
	guarded   bool
	dsn       string
	file      string
	guard     *dbguard.Guard
	admin     *sql.DB // makes the schema, and sees what is committed
	db        *sql.DB // runs the case
	readQuery string  // returns all rows
}

// casesPerConnection is how many cases a connection serves; SQLite has a new file for each.
const casesPerConnection = 25

func newPair(tb testing.TB, tg target.Target) *pair {
	tb.Helper()
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(tb, err)
	p := &pair{bare: newSide(tb, tg), guarded: newSide(tb, tg)}
	p.guarded.guarded, p.guarded.guard = true, g
	tb.Cleanup(func() { require.NoError(tb, errors.Join(p.bare.close(), p.guarded.close())) })
	return p
}

func newSide(tb testing.TB, tg target.Target) *side {
	d := tg.Database(tb)
	s := &side{Target: tg, dsn: d.DSN}
	if tg.Engine == target.SQLite {
		s.file = filepath.Join(d.Dir(), "main.db")
	}
	return s
}

func (s *side) close() error {
	var errs []error
	for _, db := range []*sql.DB{s.admin, s.db} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	s.admin, s.db = nil, nil
	return errors.Join(errs...)
}

// fresh gives the pair new connections.
func (p *pair) fresh() error {
	p.seeds = nil
	return errors.Join(p.bare.close(), p.guarded.close())
}

// prepare empties both databases and makes the schema of the case.
func (p *pair) prepare(ctx context.Context, c *testcase) error {
	if len(p.seeds) >= casesPerConnection {
		if err := errors.Join(p.bare.tidy(ctx), p.guarded.tidy(ctx), p.fresh()); err != nil {
			return err
		}
	}
	p.seeds = append(p.seeds, c.Seed)
	var bare, guarded error
	both(func() { bare = p.bare.prepare(ctx, c.Setup) }, func() { guarded = p.guarded.prepare(ctx, c.Setup) })
	return errors.Join(bare, guarded)
}

// tidy vacuums what dropped schemas leave in PostgreSQL's catalogue: otherwise everything
// becomes slower and slower.
func (s *side) tidy(ctx context.Context) error {
	if s.Engine != target.Postgres || s.admin == nil {
		return nil
	}
	_, err := s.admin.ExecContext(ctx, "VACUUM pg_class, pg_attribute, pg_attrdef, pg_depend, pg_shdepend, pg_type, pg_index,"+
		" pg_constraint, pg_trigger, pg_proc, pg_rewrite, pg_inherits, pg_description, pg_namespace, pg_partitioned_table")
	return err
}

func (s *side) prepare(ctx context.Context, setup []string) error {
	if s.Engine == target.SQLite {
		if err := s.close(); err != nil { // a database is a file, and made again
			return err
		}
	}
	if s.admin == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	drop, err := s.dropAll(ctx)
	if err != nil {
		return err
	}
	reset := target.Of(map[target.Engine][2]string{
		target.SQLite:   {"BEGIN; ", "; COMMIT"},
		target.Postgres: {"DROP SCHEMA public CASCADE; CREATE SCHEMA public; SET search_path TO public; ", ""},
		target.MariaDB:  {"SET foreign_key_checks = 0; " + drop + "SET foreign_key_checks = 1; ", ""},
	}, s.Engine)
	if _, err := s.admin.ExecContext(ctx, reset[0]+strings.Join(setup, ";\n")+reset[1]); err != nil {
		return errors.Join(err, s.close())
	}
	s.readQuery, err = s.buildReadQuery(ctx)
	if err != nil || s.db != nil {
		return err
	}
	if s.db, err = s.openRunner(); err == nil {
		s.db.SetMaxOpenConns(1)
	}
	return err
}

// open connects the admin handle. An SQLite file is made again.
func (s *side) open() (err error) {
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if s.file != "" {
			if err := os.Remove(s.file + suffix); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	s.admin, err = sql.Open(s.Driver, s.dsn)
	if err == nil {
		s.admin.SetMaxOpenConns(1)
	}
	return err
}

func (s *side) openRunner() (*sql.DB, error) {
	if s.guarded {
		return sqlguard.Open(s.Driver, s.dsn, s.guard)
	}
	return sql.Open(s.Driver, s.dsn)
}

// dropAll returns statements that empty a database of MariaDB or MySQL: DROP DATABASE takes three times
// as long, and the connection then has no current database.
func (s *side) dropAll(ctx context.Context) (text string, err error) {
	if !s.Engine.InMySQLFamily() {
		return "", nil
	}
	rows, err := s.admin.QueryContext(ctx, `SELECT CONCAT('DROP ', IF(table_type = 'VIEW', 'VIEW', 'TABLE'), ' ', table_name) FROM information_schema.tables WHERE table_schema = DATABASE()
UNION ALL SELECT CONCAT('DROP ', routine_type, ' ', routine_name) FROM information_schema.routines WHERE routine_schema = DATABASE()`)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var drop string
		if err := rows.Scan(&drop); err != nil {
			return "", err
		}
		text += drop + "; "
	}
	return text, rows.Err()
}

// connectionID also shows that the connection works.
func (s *side) connectionID(ctx context.Context, conn *sql.Conn) (id string, err error) {
	err = conn.QueryRowContext(ctx, target.Of(map[target.Engine]string{
		target.SQLite:   "SELECT 1",
		target.Postgres: "SELECT pg_backend_pid()",
		target.MariaDB:  "SELECT connection_id()",
	}, s.Engine)).Scan(&id)
	return id, err
}

// readRows reads all rows as h sees them.
func (s *side) readRows(ctx context.Context, h handle, failed *error) *snapshot.Snapshot {
	snap := &snapshot.Snapshot{Tables: map[string]snapshot.Table{}}
	rows, err := h.QueryContext(ctx, s.readQuery)
	if err != nil {
		*failed = errors.Join(*failed, err)
		return snap
	}
	defer rows.Close()
	for rows.Next() {
		var name, row string
		if err := rows.Scan(&name, &row); err != nil {
			*failed = errors.Join(*failed, err)
			return snap
		}
		t := snap.Tables[name]
		snap.Tables[name] = snapshot.Table{Columns: []string{"row"}, Rows: append(t.Rows, []string{row})}
	}
	*failed = errors.Join(*failed, rows.Err())
	return snap
}

// buildReadQuery returns one query for all rows of all tables, each as a text.
func (s *side) buildReadQuery(ctx context.Context) (text string, err error) {
	ask := target.Of(map[target.Engine]string{
		target.SQLite: `SELECT group_concat(t, ' UNION ALL ') FROM (SELECT format('SELECT %Q, %s FROM "%w"', s.name,
(SELECT group_concat(format('quote("%w")', c.name), '||'',''||') FROM pragma_table_xinfo(s.name) c), s.name) AS t
FROM sqlite_schema s WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite%')`,
		target.Postgres: `SELECT string_agg(format('SELECT %L, x::text FROM ONLY %s x', c.oid::regclass, c.oid::regclass), ' UNION ALL ')
FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace`,
		target.MariaDB: `SELECT GROUP_CONCAT(t SEPARATOR ' UNION ALL ') FROM (SELECT CONCAT('SELECT ''', table_name, ''', CONCAT_WS('','', ',
GROUP_CONCAT(CONCAT('IFNULL(', column_name, ', ''NULL'')') ORDER BY ordinal_position), ') FROM ', table_name) AS t
FROM information_schema.columns c JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' GROUP BY table_name) x`,
	}, s.Engine)
	err = s.admin.QueryRowContext(ctx, ask).Scan(&text)
	return text, err
}
