package engine

import (
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// mysqlSettings says which session state a text may change.
type mysqlSettings struct {
	role      bool // the active role
	charset   bool // character_set_results
	logFormat bool // that of the binary log
	database  bool // the current database, where the caller has prepared statements
	locks     lockChange
}

func settingsOf(t *sqlscan.Text) mysqlSettings {
	sets := mysqlSettings{
		role: containsFold(t.Source, "role"), charset: containsFold(t.Source, "character_set_results"), logFormat: containsFold(t.Source, "binlog_format"),
	}
	for i := range t.Ops {
		if now := lockChangeOf(t, &t.Ops[i]); now != locksUnchanged {
			sets.locks = now
		}
	}
	return sets
}

// lockChange is what a text does to the session's table locks (LOCK TABLES).
type lockChange uint8

const (
	locksUnchanged lockChange = iota
	locksTables
	unlocksTables
)

// lockChangeOf is that of one operation. BEGIN and START TRANSACTION unlock tables.
func lockChangeOf(t *sqlscan.Text, op *sqlscan.Op) lockChange {
	switch how := keyword(t, op); {
	case op.Kind == sqlscan.Session && how == "LOCK":
		return locksTables
	case op.Kind == sqlscan.Session && how == "UNLOCK", op.Kind == sqlscan.Begin && how != "SET" && how != "XA":
		return unlocksTables
	case how == "FLUSH":
		for word := range words(t, op.At.End, int32(len(t.Source))) {
			if strings.EqualFold(word, "lock") || strings.EqualFold(word, "export") {
				return locksTables
			}
		}
	}
	return locksUnchanged
}
