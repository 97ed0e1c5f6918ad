package engine

import (
	"context"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// quiet: what was seen under the transaction's lock stays so until it ends. A
// transaction that the library has rolled back on an error, a read's for
// instance, is found out by asking for another.
func (q *sqlite) quiet(st *statement) bool {
	if !q.held || q.schema == nil || !q.schema.calm(st) {
		return false
	}
	open, err := q.within(context.Background())
	q.held = open && err == nil
	return q.held
}

func (q *sqlite) stirs(ctx context.Context, st *statement) (bool, error) {
	sc, err := q.known(ctx)
	return err == nil && !sc.calm(st), err
}

// calm reports that the statement's INSERTs do nothing but add rows to main's tables.
func (sc *liteSchema) calm(st *statement) bool {
	var starts []deed
	for i := range st.targets {
		x := &st.targets[i]
		if len(x.name) == 0 || x.op.Kind != sqlscan.Insert {
			return false
		}
		name := fold(x.name[len(x.name)-1])
		if homes := sc.homes[name]; sc.replaces[name] || len(homes) != 1 || homes[0] != "main" {
			return false
		}
		starts = append(starts, deed{name, rowsAdded, nil})
	}
	r := sc.reach(starts)
	return r.onlyAdds()
}
