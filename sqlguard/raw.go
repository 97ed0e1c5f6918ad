package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Raw is the only way to the driver's own connection, for what database/sql does not
// offer: COPY, backups, hooks. conn is what sql.Conn.Raw passes.
//
//	err := c.Raw(func(conn any) error {
//		base, err := sqlguard.Raw(ctx, conn, "bulk load of the nightly export")
//		…
//	})
//
// What is done there is not guarded. The reason appears in a trace and an event, as
// for dbguard.Allow; an empty one is an error.
func Raw(ctx context.Context, conn any, reason string) (driver.Conn, error) {
	guarded, ok := conn.(wrapper)
	if !ok {
		return nil, fmt.Errorf("sqlguard: Raw of a %T, which is no guarded connection: pass what sql.Conn.Raw hands out", conn)
	}
	if strings.TrimSpace(reason) == "" {
		return nil, errors.New("sqlguard: Raw without a reason: say why, it ends up in the trace")
	}
	c := guarded.guarded()
	ctx = dbguard.Allow(ctx, reason, dbguard.Opaque())
	op, err := c.guard.Begin(ctx, dbguard.Op{
		System: systems[c.dialect], Namespace: c.namespace, Name: "RAW", Summary: "RAW", Statements: 1,
		Acts: []dbguard.Act{{Verb: dbguard.Run, Note: "the driver's own connection"}},
	}, nil)
	if err != nil {
		return nil, err
	}
	c.session.RawTouched()
	return c.bare.Conn, op.End(dbguard.EffectApplied, nil)
}

func (c *conn) guarded() *conn { return c }

// wrapper is implemented by all connection types.
type wrapper interface{ guarded() *conn }
