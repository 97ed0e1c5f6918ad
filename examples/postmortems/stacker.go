package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Incident 3. Stacker reported that the ORM behaved unexpectedly, not how. The
// bug here is one that GORM users have met: a condition over an empty slice.

// Navigation is an entry of an app's menu. Its items go with it:
// ON DELETE CASCADE.
type Navigation struct {
	ID    int64
	Title string
}

// TableName tells GORM not to look for "navigations".
func (Navigation) TableName() string { return "navigation" }

const (
	entries      = 60
	itemsEach    = 3
	unusedAtMost = 20 // what its authors expect the script to find, items included
)

const stackerHappened = "A reviewed and tested script, meant to clear unused navigation records, deleted all of them."

func stackerORM() *replay {
	return &replay{
		incident: 3, name: "orm-script", company: "Stacker", date: "10 November 2023",
		happened: stackerHappened,
		here:     `No visit is recorded, and GORM writes "not in ()" as "is not null".`,
		code:     `db.Not(map[string]any{"id": visited}).Delete(&Navigation{})`,
		unit:     "rows",
		tables:   []string{"navigation_item", "navigation"},
		others:   []string{"visit"},
		fill:     fillNavigation,
		run:      withORM(clearUnused),
	}
}

func stackerLoop() *replay {
	return &replay{
		incident: 3, name: "orm-loop", company: "Stacker", date: "10 November 2023",
		happened: stackerHappened,
		here:     "The same list, and one DELETE for each entry: every single one is within its bound.",
		code:     `for _, n := range unused { tx.Delete(&n) }`,
		unit:     "rows",
		tables:   []string{"navigation_item", "navigation"},
		others:   []string{"visit"},
		fill:     fillNavigation,
		run:      withORM(clearUnusedOneByOne),
	}
}

// clearUnused removes the entries that nobody visits.
func clearUnused(ctx context.Context, db *gorm.DB) error {
	visited, err := visitedEntries(ctx, db)
	if err != nil {
		return err
	}
	return db.WithContext(dbguard.AtMost(ctx, unusedAtMost)).
		Not(map[string]any{"id": visited}).
		Delete(&Navigation{}).Error
}

// clearUnusedOneByOne does the same, more carefully as its author thinks: in a
// transaction, an entry and its items at a time.
func clearUnusedOneByOne(ctx context.Context, db *gorm.DB) error {
	visited, err := visitedEntries(ctx, db)
	if err != nil {
		return err
	}
	var unused []Navigation
	if err := db.WithContext(ctx).Not(map[string]any{"id": visited}).Find(&unused).Error; err != nil {
		return err
	}
	ctx = dbguard.Budget(ctx, unusedAtMost)
	ctx = dbguard.AtMost(ctx, 1+itemsEach)
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for _, n := range unused {
			if err := tx.Delete(&n).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

func visitedEntries(ctx context.Context, db *gorm.DB) ([]int64, error) {
	var ids []int64
	err := db.WithContext(ctx).Table("visit").Distinct().Pluck("navigation_id", &ids).Error
	return ids, err
}

func withORM(script func(context.Context, *gorm.DB) error) func(context.Context, *engine, *sql.DB) error {
	return func(ctx context.Context, e *engine, db *sql.DB) error {
		orm, err := e.orm(db)
		if err != nil {
			return err
		}
		return script(ctx, orm)
	}
}

// fillNavigation makes a menu and no visit: that is what the tests of the
// script did not foresee.
func fillNavigation(ctx context.Context, e *engine) error {
	var menu, items []string
	for i := 1; i <= entries; i++ {
		menu = append(menu, fmt.Sprintf("(%d, 'entry %d')", i, i))
		for j := range itemsEach {
			items = append(items, fmt.Sprintf("(%d, %d, 'item %d')", i*10+j, i, j))
		}
	}
	return e.execAll(ctx,
		"CREATE TABLE navigation (id INTEGER NOT NULL PRIMARY KEY, title VARCHAR(40) NOT NULL)"+e.tableOptions,
		"CREATE TABLE navigation_item (id INTEGER NOT NULL PRIMARY KEY, navigation_id INTEGER NOT NULL, label VARCHAR(40) NOT NULL,"+
			" FOREIGN KEY (navigation_id) REFERENCES navigation (id) ON DELETE CASCADE)"+e.tableOptions,
		"CREATE TABLE visit (id INTEGER NOT NULL PRIMARY KEY, navigation_id INTEGER NOT NULL)"+e.tableOptions,
		"INSERT INTO navigation (id, title) VALUES "+strings.Join(menu, ", "),
		"INSERT INTO navigation_item (id, navigation_id, label) VALUES "+strings.Join(items, ", "),
	)
}
