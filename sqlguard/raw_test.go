package sqlguard_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

func TestRaw(t *testing.T) {
	var told events
	g := newGuard(t, dbguard.Policy{Observers: []dbguard.Observer{&told}})
	for name, shape := range connShapes {
		t.Run(name, func(t *testing.T) {
			told = nil
			var base driver.Conn
			f := &fake{shape: func(c *fakeConn) driver.Conn { base = shape(c); return base }}
			db := sql.OpenDB(sqlguard.WrapConnector(f, g, sqlguard.WithDialect(sqlguard.PostgreSQL)))
			defer db.Close()
			ctx := context.Background()
			c, err := db.Conn(ctx)
			require.NoError(t, err)
			defer c.Close()
			err = c.Raw(func(conn any) error {
				_, err := sqlguard.Raw(ctx, conn, " ")
				assert.EqualError(t, err, "sqlguard: Raw without a reason: say why, it ends up in the trace")
				raw, err := sqlguard.Raw(ctx, conn, "bulk load")
				assert.Equal(t, base, raw)
				return err
			})
			require.NoError(t, err)
			require.Len(t, told, 1)
			assert.Equal(t, "RAW", told[0].Op.Name)
			assert.Equal(t, "postgresql", told[0].Op.System)
			assert.Equal(t, "bulk load", told[0].Reason)
			assert.Contains(t, told[0].Site, "raw_test.go:")
		})
	}
	_, err := sqlguard.Raw(context.Background(), 7, "bulk load")
	assert.EqualError(t, err, "sqlguard: Raw of a int, which is no guarded connection: pass what sql.Conn.Raw hands out")
}
