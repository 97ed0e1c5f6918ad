package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A replay is an incident as a program: the state of the database, and the code that
// lost data.
type replay struct {
	incident int    // its number in the list of incidents that this library is built from
	name     string // for machines
	company  string
	date     string
	happened string // the real incident, in one line
	here     string // what goes wrong in this code
	code     string // the line that does it
	unit     string // what is counted: "rows", "pinned devices"

	tables []string // those that are counted; children first
	others []string // those that are not; dropped first

	// fill makes and fills the tables, past the guard.
	fill func(context.Context, *engine) error
	// prelude, if set, runs on the handle before the rows are counted.
	prelude func(context.Context, *engine, *sql.DB) error
	// run is the code that lost data, bounds included: on a bare handle they
	// mean nothing.
	run func(context.Context, *engine, *sql.DB) error
}

// replays are all of them, in the order in which they are shown.
func replays() []*replay {
	return []*replay{stackerORM(), stackerLoop(), balenaRollback()}
}

// A runResult is how many rows one run of a replay left.
type runResult struct {
	RowsBefore int `json:"rows_before"`
	// RowsAfter is how many of the rows before are still there with every value
	// that they had: a row that was changed counts as lost, like one deleted.
	RowsAfter int `json:"rows_after"`
}

func (h runResult) lost() int { return h.RowsBefore - h.RowsAfter }

// A refusal is the error of the guarded run.
type refusal struct {
	Rule    string `json:"rule"`    // "DG204"; empty if nothing was refused
	Message string `json:"message"` // the violation's line
	Effect  string `json:"effect"`  // "none": never sent; "undone": ran and was rolled back
}

// A result is one replay on one engine.
type result struct {
	Incident int       `json:"incident"`
	Replay   string    `json:"replay"`
	Company  string    `json:"company"`
	System   string    `json:"system"`
	Engine   string    `json:"engine"`
	Bare     runResult `json:"bare"`
	Guarded  struct {
		runResult
		refusal
	} `json:"guarded"`

	replay    *replay
	statement string // as it was refused, literals masked
	spans     []sdktrace.ReadOnlySpan
}

// play runs a replay bare and guarded, each on fresh data.
func play(ctx context.Context, e *engine, r *replay, policy dbguard.Policy) (*result, error) {
	res := &result{
		Incident: r.incident, Replay: r.name, Company: r.company,
		System: e.system, Engine: e.version, replay: r,
	}
	var err error
	if res.Bare, _, err = r.runOnce(ctx, e, nil); err != nil {
		return nil, fmt.Errorf("%s, bare: %w", r.name, err)
	}
	var spans recorder
	policy.TracerProvider = spans.provider()
	g, err := dbguard.New(policy)
	if err != nil {
		return nil, err
	}
	var v *dbguard.Violation
	if res.Guarded.runResult, v, err = r.runOnce(ctx, e, g); err != nil {
		return nil, fmt.Errorf("%s, guarded: %w", r.name, err)
	}
	if v != nil {
		res.statement = v.Op.Text
		res.Guarded.refusal = refusal{string(v.Rule), v.Error(), v.Effect.String()}
	}
	res.spans = spans.spans
	return res, nil
}

// runOnce runs the replay on fresh data, behind g if it is not nil, and returns what is
// left and the refusal. Rows are always counted on the bare handle.
func (r *replay) runOnce(ctx context.Context, e *engine, g *dbguard.Guard) (h runResult, v *dbguard.Violation, err error) {
	if err := e.dropTables(ctx, slices.Concat(r.others, r.tables)...); err != nil {
		return h, nil, err
	}
	if err := r.fill(ctx, e); err != nil {
		return h, nil, err
	}
	db, done, err := e.handle(g)
	if err != nil {
		return h, nil, err
	}
	defer func() { err = errors.Join(err, done()) }()

	if r.prelude != nil {
		if err := r.prelude(ctx, e, db); err != nil {
			return h, nil, fmt.Errorf("what led to it: %w", err)
		}
	}
	before, err := e.snapshot(ctx, r.tables)
	if err != nil {
		return h, nil, err
	}
	if err := r.run(ctx, e, db); err != nil && !isRefusal(err, &v) {
		return h, nil, err
	}
	after, err := e.snapshot(ctx, r.tables)
	if err != nil {
		return h, nil, err
	}
	return runResult{len(before), before.unchanged(after)}, v, nil
}

// isRefusal distinguishes a refusal from a database error and from a lost reply, after
// which the outcome is unknown.
func isRefusal(err error, v **dbguard.Violation) bool {
	return errors.Is(err, dbguard.ErrRefused) && errors.As(err, v)
}

// A snapshot holds every row of some tables: its values, by table and key.
type snapshot map[string]string

// snapshot reads the tables, whose first column is their key.
func (e *engine) snapshot(ctx context.Context, tables []string) (snapshot, error) {
	s := snapshot{}
	for _, table := range tables {
		if err := s.read(ctx, e.bare, table); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s snapshot) read(ctx context.Context, db *sql.DB, table string) error {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]sql.NullString, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		s[table+" "+values[0].String] = fmt.Sprint(values)
	}
	return rows.Err()
}

// unchanged counts the rows of s that are in after with the same values.
func (s snapshot) unchanged(after snapshot) int {
	n := 0
	for key, row := range s {
		if have, ok := after[key]; ok && have == row {
			n++
		}
	}
	return n
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
