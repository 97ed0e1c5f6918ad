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
	// named says that the SQL is the name of a prepared statement, rewritten that
	// a rewriter is among the options: values are what args stand for.
	named, rewritten bool
	values           []any
}

// inPlace are the arguments for another text in place of r.text: there is
// nothing left to rewrite. A text that is called by its name is prepared,
// whatever the connection's mode; so the other is described first, too.
func (r *request) inPlace(l *link) []any {
	args := r.args
	if r.rewritten {
		args = r.values
	}
	if !r.named || l.caches {
		return args
	}
	return append([]any{pgx.QueryExecModeDescribeExec}, args...)
}

// read finds out which text a call stands for. Options may precede the
// arguments, a rewriter among them, as pgx.NamedArgs is; and the SQL may be the
// name of a prepared statement.
func (l *link) read(ctx context.Context, takes options, sql string, args []any) (request, error) {
	r := request{text: sql, sql: sql, args: args}
	rewriter, n, last := takes.rewriter(args)
	if rewriter != nil {
		text, values, err := rewriter.RewriteQuery(ctx, l.conn, sql, args[n:])
		if err != nil {
			return r, fmt.Errorf("rewrite query failed: %w", err) // pgx's own words
		}
		r.text, r.rewritten = text, true
		r.values = append(slices.Delete(slices.Clone(args[:n]), last, last+1), values...)
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
