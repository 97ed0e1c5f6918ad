package pgxguard

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// request is a call as the server will get it: the text is what is judged.
type request struct {
	text string
	sql  string // what is handed to pgx together with args
	args []any
	// values are the arguments that the text takes, without options and after a
	// rewriter. modes are the options that are no rewriter.
	values, modes []any
	named         bool // the SQL is the name of a prepared statement
}

// inPlace are the arguments for another text in place of r.text. A statement that
// is called by its name was described, whatever the connection's mode; so the
// other text is, too.
func (r *request) inPlace(l *link) []any {
	args := slices.Concat(r.modes, r.values)
	if r.named && !l.caches {
		return append([]any{pgx.QueryExecModeDescribeExec}, args...)
	}
	return args
}

// fits reports that texts in place of r.text, which take its values, can be part
// of a batch: that knows no mode but the connection's.
func (r *request) fits(l *link) bool { return len(r.modes) == 0 && (l.caches || !r.named) }

// read finds out which text a call stands for. Options may precede the
// arguments, a rewriter among them, as pgx.NamedArgs is; and the SQL may be the
// name of a prepared statement.
func (l *link) read(ctx context.Context, takes options, sql string, args []any) (request, error) {
	rewriter, n, last := takes.rewriter(args)
	r := request{text: sql, sql: sql, args: args, values: args[n:], modes: args[:n]}
	if rewriter != nil {
		text, values, err := rewriter.RewriteQuery(ctx, l.conn, sql, args[n:])
		if err != nil {
			return r, fmt.Errorf("rewrite query failed: %w", err) // pgx's own words
		}
		r.text, r.values = text, values
		r.modes = slices.DeleteFunc(slices.Clone(args[:n]), func(arg any) bool {
			_, ok := arg.(pgx.QueryRewriter)
			return ok
		})
		if !repeats(rewriter) {
			r.args = append([]any(nil), args[:n]...)
			r.args[last] = rewritten{text, values}
		}
	}
	r.text, r.named = l.prepared(ctx, r.text)
	return r, nil
}

// options are those that pgx takes before the arguments of a call.
type options uint8

const (
	ofBatch options = iota // a rewriter
	ofExec                 // and a mode
	ofQuery                // and formats of results
)

// rewriter finds the last rewriter among the options of a call, and how many
// options there are.
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

// repeats reports that the rewriter makes the same text each time, whatever
// happens between. pgx may then be left to do it again, and tracers see it.
func repeats(r pgx.QueryRewriter) bool {
	switch r.(type) {
	case pgx.NamedArgs, pgx.StrictNamedArgs:
		return true
	}
	return false
}

// rewritten is what a rewriter made, once: what was judged is what is sent.
type rewritten struct {
	sql  string
	args []any
}

// RewriteQuery ignores what it is asked.
func (r rewritten) RewriteQuery(context.Context, *pgx.Conn, string, []any) (string, []any, error) {
	return r.sql, r.args, nil
}
