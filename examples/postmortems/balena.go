package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Incident 5. A device without a pinned release follows the latest one.

const (
	devices      = 500
	batchSize    = 100
	pinnedBefore = 50 // by their owners: these must outlive any rollback
	oldRelease   = 11
	goodRelease  = 12
)

func balenaRollback() *replay {
	return &replay{
		incident: 5, name: "rollback", company: "balena", date: "23 September 2019",
		happened: "The rollback of a migration was too broad: it unpinned every device, and 20 % updated to code nobody wanted.",
		here:     "The migration pins the devices in bounded batches; the rollback forgets to say which ones it pinned.",
		code:     "UPDATE device SET release_id = NULL",
		unit:     "pinned devices",
		tables:   []string{"device"},
		fill:     fillDevices,
		prelude:  pinToCurrent,
		run:      unpin,
	}
}

// pinToCurrent is the migration: it pins each unpinned device to the release that it
// runs. Each batch has a bound, and a budget bounds all of them together.
func pinToCurrent(ctx context.Context, e *engine, db *sql.DB) error {
	ctx = dbguard.Budget(ctx, devices-pinnedBefore)
	ctx = dbguard.AtMost(ctx, batchSize)
	for from := 0; from < devices; from += batchSize {
		_, err := db.ExecContext(ctx, e.bind(
			"UPDATE device SET release_id = running_id WHERE release_id IS NULL AND id > ? AND id <= ?",
		),
			from, from+batchSize)
		if err != nil {
			return err
		}
	}
	return nil
}

// unpin is the rollback as it was written, in a hurry and without a review.
func unpin(ctx context.Context, _ *engine, db *sql.DB) error {
	_, err := db.ExecContext(dbguard.AtMost(ctx, batchSize), "UPDATE device SET release_id = NULL")
	return err
}

func fillDevices(ctx context.Context, e *engine) error {
	var fleet []string
	for id := 1; id <= devices; id++ {
		if id <= pinnedBefore {
			fleet = append(fleet, fmt.Sprintf("(%d, %d, %d)", id, oldRelease, oldRelease))
		} else {
			fleet = append(fleet, fmt.Sprintf("(%d, NULL, %d)", id, goodRelease))
		}
	}
	return e.execAll(ctx,
		"CREATE TABLE device (id INTEGER NOT NULL PRIMARY KEY, release_id INTEGER, running_id INTEGER NOT NULL)"+e.tableOptions,
		"INSERT INTO device (id, release_id, running_id) VALUES "+strings.Join(fleet, ", "),
	)
}
