package pgxguard

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// copyFrom inserts rows, and counts the rows that triggers change.
func (g *connGuard) copyFrom(ctx context.Context, on runner, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (n int64, err error) {
	var flight *engine.Flight
	if !g.pgxRefuses(ctx) {
		if flight, err = g.start(ctx, copyText(table, columns), g.session.StartCopy); err != nil {
			return 0, err
		}
	}
	if flight != nil {
		ctx = flight.Context()
	}
	g.asJudged(func() { n, err = on.CopyFrom(ctx, table, columns, src) })
	if flight == nil {
		return n, err
	}
	if verdict := flight.End(ctx, n, err); verdict != nil {
		g.closeIfBroken()
		return 0, verdict
	}
	return n, nil
}

// copyText is what pgx makes of the arguments of CopyFrom.
func copyText(table pgx.Identifier, columns []string) string {
	text := "copy " + table.Sanitize()
	sep := " ( "
	for _, c := range columns {
		text += sep + pgx.Identifier{c}.Sanitize()
		sep = ", "
	}
	return text + " ) from stdin binary;"
}
