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
	locks    locking
}

func settingsOf(t *sqlscan.Text) mysqlSettings {
	sets := mysqlSettings{role: containsFold(t.Source, "role"), charset: containsFold(t.Source, "character_set_results")}
	for i := range t.Ops {
		if now := lockingOf(t, &t.Ops[i]); now != unmoved {
			sets.locks = now
		}
	}
	return sets
}

// locking is what a text does to the tables that the session has locked.
type locking uint8

const (
	unmoved locking = iota
	locked
	unlocked
)

// lockingOf is that of one operation. BEGIN and START TRANSACTION unlock them.
func lockingOf(t *sqlscan.Text, op *sqlscan.Op) locking {
	switch how := keyword(t, op); {
	case op.Kind == sqlscan.Session && how == "LOCK":
		return locked
	case op.Kind == sqlscan.Session && how == "UNLOCK", op.Kind == sqlscan.Begin && how != "SET" && how != "XA":
		return unlocked
	case how == "FLUSH":
		for word := range words(t, op.At.End, int32(len(t.Source))) {
			if strings.EqualFold(word, "lock") || strings.EqualFold(word, "export") {
				return locked
			}
		}
	}
	return unmoved
}
