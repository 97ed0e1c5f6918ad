package engine

import (
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// mysqlSettings is what a text may change of its session.
type mysqlSettings struct {
	role     bool // which one the account plays
	charset  bool // that of results
	database bool // from that in which a statement of the caller's was prepared
	locks    lockChange
}

func settingsOf(t *sqlscan.Text) mysqlSettings {
	sets := mysqlSettings{role: containsFold(t.Source, "role"), charset: containsFold(t.Source, "character_set_results")}
	for i := range t.Ops {
		if now := lockChangeOf(t, &t.Ops[i]); now != locksUnchanged {
			sets.locks = now
		}
	}
	return sets
}

// lockChange is what a text does to the tables that the session has locked.
type lockChange uint8

const (
	locksUnchanged lockChange = iota
	locksTables
	unlocksTables
)

// lockChangeOf is that of one operation. BEGIN and START TRANSACTION unlock them.
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
