package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// fakeConn answers a session's own statements from a script, and records them and the
// caller's in order.
type fakeConn struct {
	t       *testing.T
	log     []string
	answers map[string]fakeAnswer
	asked   int
	diesAt  int // the number of the query, from 1, at which the connection dies; 0: never
}

type fakeAnswer struct {
	rows [][]any
	err  error
	then func()
}

// label shortens the long queries, for the script and the log.
func label(text string) string {
	switch {
	case text == hiddenText, text == storedFunctionsQuery:
		return "hidden"
	case text == viewsQuery:
		return "views"
	case strings.Contains(text, "pg_stat_force_next_flush() IS NULL"):
		return "count"
	case strings.Contains(text, "pg_locks"):
		return "base"
	case strings.Contains(text, "pg_stat_force_next_flush"):
		return "flush"
	case strings.Contains(text, "c.relkind IN ('r', 'm')"):
		return "pending"
	case strings.HasPrefix(text, "SELECT c.oid::int8, c.xmin::text, "):
		return "adds"
	case strings.HasPrefix(text, "SELECT r.oid, CASE WHEN r.all_rows > "):
		return "once"
	case strings.HasPrefix(text, "WITH RECURSIVE same"):
		return "routes"
	case strings.Contains(text, "pragma_table_list"):
		return "rowid"
	case strings.HasPrefix(text, "EXECUTE dbguard_"):
		return "execute " + strings.TrimPrefix(text, "EXECUTE dbguard_")[:1] + says(text)
	case strings.HasPrefix(text, "BEGIN NOT ATOMIC ") && strings.Contains(text, "PREPARE dbguard_"):
		return "prepare" + opens(text)
	case strings.HasPrefix(text, "SELECT ROUTINE_SCHEMA, ROUTINE_BODY"):
		return "routine"
	case strings.Contains(text, "information_schema.ENGINES"):
		return "engines"
	case strings.HasPrefix(text, "SELECT t.TABLE_SCHEMA, @@t"):
		return "plainly"
	case strings.HasPrefix(text, "SELECT 1 FROM information_schema.INNODB_SYS_FOREIGN"):
		return "referred"
	case strings.HasPrefix(text, "WITH RECURSIVE k AS"):
		return "keys"
	case strings.HasPrefix(text, "SELECT COUNT(*) FROM information_schema.COLUMNS"):
		return "derived"
	case strings.HasPrefix(text, "WITH k AS"):
		return "keys again"
	case strings.HasPrefix(text, "SHOW SESSION STATUS"):
		return "handled"
	case strings.HasPrefix(text, "WITH RECURSIVE s (class, id)"):
		return "along"
	case strings.Contains(text, ".sqlite_master WHERE"), strings.Contains(text, "pg_catalog.pg_class c JOIN"):
		return "find"
	case strings.HasPrefix(text, "SELECT count(*) FROM (SELECT 1 FROM"):
		return "probe"
	case strings.HasSuffix(text, ".journal_mode"):
		return "journal"
	}
	return text
}

// says is what the parameters of a MariaDB wrapper say, whose argument is 7.
func says(text string) (how string) {
	_, flags, _ := strings.Cut(text, "DATABASE(), ")
	before, after, _ := strings.Cut(flags, "7, ")
	update := strings.HasPrefix(after, "true, ") || strings.HasPrefix(after, "false, ")
	for _, x := range []struct {
		is  bool
		how string
	}{
		{strings.HasPrefix(before, "false, ") && (!update || len(before) > len("false, ")), ", trusts"},
		{update && strings.HasSuffix(before, "true, "), ", asks for indexes"},
		{strings.HasPrefix(after, "true, "), ", apart"},
	} {
		if x.is {
			how += x.how
		}
	}
	return how
}

// opens is how a MariaDB wrapper opens, and whether it checks the table.
func opens(text string) (how string) {
	for _, x := range []struct{ part, how string }{
		{"START TRANSACTION", " own"},
		{"; SAVEPOINT " + savepoint + "; ROLLBACK", " first"},
		{"RELEASE SAVEPOINT", " again"},
		{"information_schema.TRIGGERS", ", looks"},
		{"PREPARE dbguard_proof", ", proof"},
	} {
		if strings.Contains(text, x.part) {
			how += x.how
		}
	}
	return how
}

func (c *fakeConn) answer(ctx context.Context, text string) fakeAnswer {
	text = label(text)
	c.log = append(c.log, text)
	if c.asked++; c.diesAt > 0 && c.asked >= c.diesAt {
		return fakeAnswer{err: driver.ErrBadConn}
	}
	if err := ctx.Err(); err != nil {
		return fakeAnswer{err: err}
	}
	a := c.answers[text]
	if a.then != nil {
		a.then()
	}
	return a
}

func (c *fakeConn) Exec(ctx context.Context, text string) (int64, error) {
	return 0, c.answer(ctx, text).err
}

func (c *fakeConn) Query(ctx context.Context, text string, row func([]any) error) error {
	if text == mayHideText { // there may always be some
		return row([]any{true})
	}
	a := c.answer(ctx, text)
	for _, values := range a.rows {
		if err := row(values); err != nil {
			return err
		}
	}
	return a.err
}

func (c *fakeConn) on(text string, values ...any) *fakeConn {
	a := fakeAnswer{}
	if len(values) > 0 {
		a.rows = [][]any{values}
	}
	c.answers[text] = a
	return c
}

func (c *fakeConn) fail(text string, err error) *fakeConn {
	c.answers[text] = fakeAnswer{err: err}
	return c
}

// pgError is an error as a PostgreSQL driver returns it.
type pgError string

func (e pgError) Error() string    { return "ERROR: (SQLSTATE " + string(e) + ")" }
func (e pgError) SQLState() string { return string(e) }

var (
	errServer       = errors.New("Error 1062 (23000): Duplicate entry")
	errUnknownTable = errors.New("Error 1109 (42S02): Unknown table 'ROUTINES' in information_schema")
	errNoPoint      = errors.New("Error 1305 (42000): SAVEPOINT " + savepoint + " does not exist")
	errNoStatement  = errors.New("Error 1243 (HY000): Unknown prepared statement handler (dbguard_3) given to EXECUTE")
	errNoSaved      = errors.New("SQL logic error: no such savepoint: " + savepoint + " (1)")
)

// changedRow is a row of PostgreSQL's counters.
func changedRow(oid, rows int64, table string) []any {
	return []any{oid, rows, "public", table, "r", false, false, false, ""}
}

// rig is a session on a fake connection, with the events that observers got.
type rig struct {
	*Session
	conn   *fakeConn
	events []dbguard.Event
}

func (r *rig) Observe(_ context.Context, e dbguard.Event) { r.events = append(r.events, e) }

// newRig makes a session that has sent its initial queries.
func newRig(t *testing.T, d sqlscan.Dialect, change ...func(*dbguard.Policy)) *rig {
	t.Helper()
	r := &rig{conn: &fakeConn{t: t, answers: map[string]fakeAnswer{}}}
	p := dbguard.Policy{Observers: []dbguard.Observer{r}}
	for _, f := range change {
		f(&p)
	}
	g, err := dbguard.New(p)
	require.NoError(t, err)
	r.Session = NewSession(r.conn, Config{Guard: g, Dialect: d})
	switch b := r.backend.(type) {
	case *postgres:
		b.major, b.stale, r.hidden = 15, false, &hiddenCode{}
		r.conn.on("count", changedRow(16400, 1, "t")...)
	case *mysql:
		b.version, b.autocommit = "10.11.6-MariaDB", true
		b.sessionKnown, b.visibility, r.hidden = true, allTriggersVisible, &hiddenCode{}
		r.tx = txIdle
		r.handled(1)
	case *sqlite:
		b.journaled = true
		b.schema = &sqliteSchema{version: "7", schemasOf: map[string][]string{"t": {"main"}}, tables: map[string]*sqliteTable{"t": {}}} // nothing is known of t
		r.conn.on(changed, int64(10)).on(changes2, int64(11), int64(1), int64(7))
		r.conn.on("PRAGMA main.schema_version", int64(7))
	}
	return r
}

// handled makes MySQL's handler counters rise by n between two queries.
func (r *rig) handled(n int64) {
	total := int64(100)
	r.conn.answers["handled"] = fakeAnswer{rows: [][]any{{"Handler_update", total}, {"Handler_write", int64(0)}}, then: func() {
		total += n
		a := r.conn.answers["handled"]
		a.rows = [][]any{{"Handler_update", total}, {"Handler_write", int64(0)}}
		r.conn.answers["handled"] = a
	}}
}

// send runs a text as an adapter does and returns what the caller sees. The statement
// itself appears in the log as "> text".
func (r *rig) send(ctx context.Context, text string, affected int64, err error) error {
	if r.IsRead(text) {
		r.conn.log = append(r.conn.log, "> "+text)
		return err
	}
	f, startErr := r.Start(ctx, text, AsWritten)
	if startErr != nil {
		return startErr
	}
	r.conn.log = append(r.conn.log, "> "+text)
	return f.End(ctx, affected, err)
}

// sent returns the log and empties it.
func (r *rig) sent() []string {
	log := r.conn.log
	r.conn.log = nil
	return log
}

// last is the event of the last operation.
func (r *rig) last(t *testing.T) dbguard.Event {
	t.Helper()
	require.NotEmpty(t, r.events)
	return r.events[len(r.events)-1]
}

// neverRetried fails if database/sql would run the statement again.
func neverRetried(t *testing.T, err error) {
	t.Helper()
	require.NotErrorIs(t, err, driver.ErrBadConn)
}

func atMost(n int64) context.Context { return dbguard.AtMost(context.Background(), n) }
