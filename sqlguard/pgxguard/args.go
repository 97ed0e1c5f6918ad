package pgxguard

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// request is a call as the server will get it: its text is what is judged.
type request struct {
	text string
	sql  string // what is handed to pgx together with args
	args []any
	// values are the arguments of the text, after a rewriter. modes are the options other
	// than rewriters.
	values, modes []any
	byName        bool // the SQL is the name of a prepared statement
}

// rewrittenArgs are the arguments for a text sent in place of r.text. A statement called by
// its name was described, whatever the connection's mode; so the other text is described, too.
func (r *request) rewrittenArgs(g *connGuard) []any {
	args := slices.Concat(r.modes, r.values)
	if r.byName && !g.caches {
		return append([]any{pgx.QueryExecModeDescribeExec}, args...)
	}
	return args
}

// arguments are the values as the session takes them.
func (r *request) arguments() []driver.NamedValue {
	if len(r.values) == 0 {
		return nil
	}
	args := make([]driver.NamedValue, len(r.values))
	for i, v := range r.values {
		args[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return args
}

// batchable reports that texts in place of r.text, with its values, can be sent in a batch,
// which has no mode but the connection's.
func (r *request) batchable(g *connGuard) bool { return len(r.modes) == 0 && (g.caches || !r.byName) }

// read finds the text that a call stands for. Options may precede the arguments, such as a
// rewriter (pgx.NamedArgs is one), and the SQL may be the name of a prepared statement.
func (g *connGuard) read(ctx context.Context, takes options, sql string, args []any) (request, error) {
	rewriter, n, last := takes.rewriter(args)
	r := request{text: sql, sql: sql, args: args, values: args[n:], modes: args[:n]}
	if rewriter != nil {
		text, values, err := rewriter.RewriteQuery(ctx, g.conn, sql, args[n:])
		if err != nil {
			return r, fmt.Errorf("rewrite query failed: %w", err) // pgx's own words
		}
		r.text, r.values = text, values
		r.modes = slices.DeleteFunc(slices.Clone(args[:n]), func(arg any) bool {
			_, ok := arg.(pgx.QueryRewriter)
			return ok
		})
		if !isDeterministic(rewriter) {
			r.args = append([]any(nil), args[:n]...)
			r.args[last] = rewritten{text, values}
		}
	}
	r.text, r.byName = g.preparedText(ctx, r.text)
	return r, nil
}

// options are what pgx accepts before the arguments of a call.
type options uint8

const (
	ofBatch options = iota // a rewriter
	ofExec                 // and a mode
	ofQuery                // and formats of results
)

// rewriter finds the last rewriter among the options of a call, and the number of options.
func (o options) rewriter(args []any) (rewriter pgx.QueryRewriter, n, last int) {
	for i, arg := range args {
		taken := false
		switch arg := arg.(type) {
		case pgx.QueryExecMode:
			taken = o >= ofExec
		case pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
			taken = o >= ofQuery
		case pgx.QueryRewriter:
			rewriter, last, taken = arg, i, true
		}
		if !taken {
			return rewriter, i, last
		}
	}
	return rewriter, len(args), last
}

// isDeterministic reports that the rewriter makes the same text each time. Then pgx may call
// it again, and tracers see it.
func isDeterministic(r pgx.QueryRewriter) bool {
	switch r.(type) {
	case pgx.NamedArgs, pgx.StrictNamedArgs:
		return true
	}
	return false
}

// rewritten returns what a rewriter made the first time: what was judged is what is sent.
type rewritten struct {
	sql  string
	args []any
}

// RewriteQuery ignores its arguments.
func (r rewritten) RewriteQuery(context.Context, *pgx.Conn, string, []any) (string, []any, error) {
	return r.sql, r.args, nil
}
