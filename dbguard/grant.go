package dbguard

import (
	"fmt"
	"strings"
)

// Grant permits one thing on one object, named as in the statement: "users" does not
// cover "audit.users". Names are compared without regard to case.
type Grant struct {
	kind   grantKind
	object string
}

type grantKind uint8

const (
	noGrant grantKind = iota
	grantCreateDatabase
	grantDropDatabase
	grantDropTable
	grantTruncate
	grantAlterTable
	grantAllRows
	grantOpaque
)

var grantNames = [...]string{
	noGrant:             "Grant",
	grantCreateDatabase: "CreateDatabase",
	grantDropDatabase:   "DropDatabase",
	grantDropTable:      "DropTable",
	grantTruncate:       "Truncate",
	grantAlterTable:     "AlterTable",
	grantAllRows:        "AllRows",
	grantOpaque:         "Opaque",
}

// CreateDatabase permits a database, a schema or an SQLite file of this name to be
// created.
func CreateDatabase(name string) Grant { return Grant{grantCreateDatabase, name} }

// DropDatabase permits the database or schema to be dropped.
func DropDatabase(name string) Grant { return Grant{grantDropDatabase, name} }

// DropTable permits the table, view, index or other object inside a database
// to be dropped.
func DropTable(name string) Grant { return Grant{grantDropTable, name} }

// Truncate permits the table to be emptied by TRUNCATE.
func Truncate(table string) Grant { return Grant{grantTruncate, table} }

// AlterTable permits columns of the table to be retyped, removed or renamed,
// and the table itself to be renamed or moved.
func AlterTable(table string) Grant { return Grant{grantAlterTable, table} }

// AllRows permits a DELETE or UPDATE that addresses every row of the table. It is not
// a bound: the statement still needs one.
func AllRows(table string) Grant { return Grant{grantAllRows, table} }

// Opaque permits what the guard cannot read, count or undo: unreadable text, several
// destructive statements in one text, code that is not in the text, transaction
// control, engines without rollback, protections turned off.
func Opaque() Grant { return Grant{kind: grantOpaque} }

// String is the grant as it is written in Go: DropTable("users").
func (g Grant) String() string {
	if g.kind == grantOpaque {
		return "Opaque()"
	}
	return fmt.Sprintf("%s(%q)", grantNames[g.kind], g.object)
}

func (g Grant) covers(need Grant) bool {
	return g.kind == need.kind && strings.EqualFold(g.object, need.object)
}

func (g Grant) validate() error {
	switch {
	case g.kind == noGrant:
		return fmt.Errorf("dbguard: Allow with an empty Grant: use DropTable(name) and kin")
	case g.kind != grantOpaque && strings.TrimSpace(g.object) == "":
		return fmt.Errorf("dbguard: Allow with %s: a grant names its object", g)
	}
	return nil
}
