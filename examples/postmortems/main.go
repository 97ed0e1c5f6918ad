// Command postmortems replays incidents in which data was lost: each once on a
// bare handle, where it is lost again, and once behind a guard, where the
// statement is refused and every row is still there.
//
//	go run ./examples/postmortems
//
// It needs nothing: the database is an embedded SQLite in a temporary folder,
// the cluster a model in this process. With -postgres, -mysql or -couchdb it
// uses those servers instead, in a schema or database "dbguard_postmortems" or
// in databases "dbguard-tenant-…" that it makes and removes.
//
// The exit status is 0 if the guard kept every row, 1 if a row was lost behind
// it or a replay could not be run, 2 if the command was called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/dbguard/dbguard-go/dbguard"
)

// The exit statuses.
const (
	exitKept = iota
	exitLost
	exitUsage
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, dbguard.Policy{})
	stop()
	os.Exit(code)
}

// options are what the command line says.
type options struct {
	json, trace              bool
	postgres, mysql, couchdb string
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("postmortems", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: postmortems [-json] [-trace] [-postgres DSN] [-mysql DSN] [-couchdb URL[,URL...]]")
		flags.PrintDefaults()
	}
	flags.BoolVar(&o.json, "json", false, "write the results as JSON")
	flags.BoolVar(&o.trace, "trace", false, "print the guard's OpenTelemetry spans (with -json to standard error)")
	flags.StringVar(&o.postgres, "postgres", "", "replay on the PostgreSQL server of this `DSN`, in a schema made for it")
	flags.StringVar(&o.mysql, "mysql", "", "replay on the MySQL or MariaDB server of this `DSN`, in a database made for it")
	flags.StringVar(&o.couchdb, "couchdb", "", "replay on the CouchDB servers of these `URLs`, whose last has joined and not synchronised")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("no arguments are taken, got %q", flags.Args())
	}
	flags.Visit(func(f *flag.Flag) {
		if f.Value.String() == "" { // an unset variable must not mean SQLite
			err = errors.Join(err, fmt.Errorf("-%s is empty", f.Name))
		}
	})
	return o, err
}

// run is the command. The policy is the guard's.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, policy dbguard.Policy) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitKept
	}
	if err != nil {
		fmt.Fprintln(stderr, "postmortems:", err)
		return exitUsage
	}
	results, err := playAll(ctx, o, newReport(o, stdout, stderr), policy)
	if err != nil {
		fmt.Fprintln(stderr, "postmortems:", err)
		if errors.Is(err, errDSN) {
			return exitUsage
		}
		return exitLost
	}
	for _, res := range results {
		if res.Guarded.lost() > 0 {
			return exitLost
		}
	}
	return exitKept
}

func newReport(o options, stdout, stderr io.Writer) report {
	if !o.json {
		return textReport{stdout, paletteFor(stdout), o.trace}
	}
	r := jsonReport{out: stdout}
	if o.trace {
		r.spans = stderr
	}
	return r
}

// playAll runs every replay on every engine.
func playAll(ctx context.Context, o options, out report, policy dbguard.Policy) ([]*result, error) {
	results := []*result{}
	for _, open := range o.engines() {
		some, err := playOn(ctx, open, out, policy)
		if err != nil {
			return nil, err
		}
		results = append(results, some...)
	}
	if nodes := o.nodes(); nodes != nil {
		res, err := playCouch(ctx, nodes, policy)
		if err != nil {
			return nil, err
		}
		out.engine(res.Engine)
		out.result(res)
		results = append(results, res)
	}
	return results, out.end(results)
}

func playOn(ctx context.Context, open opener, out report, policy dbguard.Policy) (results []*result, err error) {
	e, err := open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	out.engine(e.version)
	for _, r := range replays() {
		res, err := play(ctx, e, r, policy)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.version, err)
		}
		out.result(res)
		results = append(results, res)
	}
	return results, nil
}

// An opener makes an engine ready.
type opener func(context.Context) (*engine, error)

// engines are the servers named on the command line, or the embedded SQLite.
func (o options) engines() (list []opener) {
	if o.postgres != "" {
		list = append(list, func(ctx context.Context) (*engine, error) { return openPostgres(ctx, o.postgres) })
	}
	if o.mysql != "" {
		list = append(list, func(ctx context.Context) (*engine, error) { return openMySQL(ctx, o.mysql) })
	}
	if len(list) == 0 && o.couchdb == "" {
		list = append(list, openSQLite)
	}
	return list
}

// nodes are the CouchDB servers named on the command line, or the model if no server
// of any kind was named.
func (o options) nodes() func() (nodes, error) {
	switch {
	case o.couchdb != "":
		return func() (nodes, error) { return realServers(o.couchdb) }
	case o.postgres == "" && o.mysql == "":
		return func() (nodes, error) { return modelCluster(), nil }
	}
	return nil
}
