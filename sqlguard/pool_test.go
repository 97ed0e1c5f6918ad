package sqlguard_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

func TestUnboundedPool(t *testing.T) {
	level := func(l dbguard.Level) map[dbguard.RuleID]dbguard.Level {
		return map[dbguard.RuleID]dbguard.Level{dbguard.UnboundedPool: l}
	}
	for _, c := range []struct {
		why    string
		policy dbguard.Policy
		limit  int
		want   error
		told   int
	}{
		{"warns once", dbguard.Policy{}, 0, nil, 1},
		{"limited", dbguard.Policy{}, 10, nil, 0},
		{"denied each time", dbguard.Policy{Levels: level(dbguard.Deny)}, 0, dbguard.UnboundedPool, 2},
		{"denied, limited", dbguard.Policy{Levels: level(dbguard.Deny)}, 10, nil, 0},
		{"off", dbguard.Policy{Levels: level(dbguard.Off)}, 0, nil, 0},
		{"only watched", dbguard.Policy{Mode: dbguard.Observe, Levels: level(dbguard.Deny)}, 0, nil, 1},
	} {
		t.Run(c.why, func(t *testing.T) {
			var told events
			c.policy.Observers = []dbguard.Observer{&told}
			db, err := sqlguard.Open(register(t, &fake{}), "dsn", newGuard(t, c.policy), sqlguard.WithDialect(sqlguard.PostgreSQL))
			require.NoError(t, err)
			defer db.Close()
			db.SetMaxOpenConns(c.limit)
			for range 2 {
				conn, err := db.Conn(context.Background())
				assert.ErrorIs(t, err, c.want)
				if err == nil {
					defer conn.Close()
				}
			}
			require.Len(t, told, c.told)
			for _, e := range told {
				assert.Equal(t, dbguard.UnboundedPool, e.Rule)
				assert.Contains(t, e.Findings[0].Message, "has no limit on its connections")
			}
		})
	}
}
