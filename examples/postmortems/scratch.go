package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// On a server, the replays keep to a schema (PostgreSQL) or database (MySQL) of
// this name, which they make and remove. Nothing else there is touched.
const scratchName = "dbguard_postmortems"

// markerTable is in every scratch that this program makes: it identifies one that a
// killed run left behind.
const markerTable = "made_by_dbguard_postmortems"

// A scratch is the schema or database that this run has claimed.
type scratch struct {
	sql  scratchSQL
	conn *sql.Conn // holds the lock
}

// scratchSQL holds a server's statements for a scratch. The texts are constant; none
// drops anything that it does not name.
type scratchSQL struct {
	noun   string // "schema"
	lock   string // answers 1 if this session got the lock, without waiting
	exists string // answers how many there are of the name, visible or not
	tables string // answers how many tables and views are in it
	marked string // answers how many marker tables are in it
	create string // fails if it exists
	drop   string
}

// claim makes the scratch. It refuses if there is one that is not ours, or if
// another run is using it.
func claim(ctx context.Context, admin *sql.DB, q scratchSQL) (s *scratch, err error) {
	conn, err := admin.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s = &scratch{q, conn}
	defer func() {
		if err != nil {
			err = errors.Join(err, conn.Close())
		}
	}()
	got, err := s.ask(ctx, q.lock)
	if err != nil {
		return nil, err
	}
	if got != 1 {
		return nil, fmt.Errorf("another run is using the %s %s", q.noun, scratchName)
	}
	n, err := s.ask(ctx, q.exists)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		if err := s.removeLeftover(ctx); err != nil {
			return nil, err
		}
	}
	return s, s.create(ctx)
}

func (s *scratch) create(ctx context.Context) error {
	if err := s.exec(ctx, s.sql.create); err != nil {
		return err
	}
	err := s.exec(ctx, "CREATE TABLE "+scratchName+"."+markerTable+" (id INTEGER NOT NULL PRIMARY KEY)")
	if err != nil { // without its mark, the next run would not know it for ours
		err = errors.Join(err, s.exec(context.WithoutCancel(ctx), s.sql.drop))
	}
	return err
}

func (s *scratch) removeLeftover(ctx context.Context) error {
	marked, err := s.ask(ctx, s.sql.marked)
	if err != nil {
		return err
	}
	if marked == 0 {
		return fmt.Errorf("there is a %s %s that this program did not make: it is left alone; rename or remove it", s.sql.noun, scratchName)
	}
	return s.drop(ctx)
}

// drop removes the scratch, unless it holds tables that this program did not make.
func (s *scratch) drop(ctx context.Context) error {
	for _, r := range replays() {
		for _, t := range slices.Concat(r.others, r.tables) {
			if err := s.exec(ctx, "DROP TABLE IF EXISTS "+scratchName+"."+t); err != nil {
				return err
			}
		}
	}
	n, err := s.ask(ctx, s.sql.tables)
	if err != nil {
		return err
	}
	if n > 1 {
		return fmt.Errorf("the %s %s holds tables that this program did not make: it is left there", s.sql.noun, scratchName)
	}
	return s.exec(ctx, "DROP TABLE "+scratchName+"."+markerTable, s.sql.drop)
}

// close removes the scratch and gives up the lock.
func (s *scratch) close() error {
	// Not the run's context: that may have been cancelled by an interrupt.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(s.drop(ctx), s.conn.Close())
}

func (s *scratch) ask(ctx context.Context, query string) (n int, err error) {
	err = s.conn.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

func (s *scratch) exec(ctx context.Context, statements ...string) error {
	for _, q := range statements {
		if _, err := s.conn.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}
