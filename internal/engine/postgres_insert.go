package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// An INSERT into an ordinary table changes no existing row unless a trigger, a rule or a
// function of a default, constraint or index does. One round trip suffices: the caller's
// INSERT becomes a CTE, and the outer query asks the catalogue, with a snapshot taken under
// the statement's own lock, whether the table is still as the session knows it, and raises
// if not. No trigger and no rule can be created under that lock. In the caller's transaction
// the lock stays, and what was verified under it stays true: the next INSERT is sent as
// written.

// knownToOnlyAdd reports that the tables were verified in this transaction.
func (p *postgres) knownToOnlyAdd(st *statement) bool {
	switch {
	case p.major < 0:
		return true // this server cannot count anything
	case st.insertsQuery:
		return false
	}
	for i := range st.targets {
		if st.op.Acts[i].Verb == dbguard.Insert && !p.isVerified(&st.targets[i]) {
			return false
		}
	}
	return true
}

// mayChangeRows looks the tables up now. Whatever is not an ordinary table may do anything.
func (p *postgres) mayChangeRows(ctx context.Context, t *sqlscan.Text, st *statement) (bool, error) {
	for i := range st.targets {
		if st.op.Acts[i].Verb != dbguard.Insert {
			continue
		}
		x := &st.targets[i]
		known, err := p.queryInsertTable(ctx, x)
		if err == nil && known.queriedAt.IsZero() && createsTable(t, x) {
			writes, err := p.functionsMayWrite(ctx, calledNames(t)) // in its defaults and checks
			if err == nil && !writes {
				continue
			}
		}
		if err != nil || !known.addsOnly {
			return true, ignoreAborted(p, err)
		}
	}
	return false, nil
}

// createsTable reports that the text itself creates the table if it does not exist, and that only
// functions named in the text could change rows then.
func createsTable(t *sqlscan.Text, x *target) bool {
	for word := range words(t, 0, int32(len(t.Source))) {
		switch strings.ToLower(word) {
		case "aggregate", "event", "extension", "function", "inherits", "like", "of", "operator", "procedure", "rule", "trigger":
			return false
		}
	}
	made := false
	for i := range t.Ops {
		switch op := &t.Ops[i]; op.Kind {
		case sqlscan.Define, sqlscan.Insert:
			made = made || isRegclassName(x) && isCreateTable(t, op) && slices.Equal(nameParts(t, op.Object), x.name)
		case sqlscan.Begin, sqlscan.Commit:
		default:
			return false
		}
	}
	return made
}

// isCreateTable reports CREATE TABLE without other words before the name.
func isCreateTable(t *sqlscan.Text, op *sqlscan.Op) bool {
	n := 0
	for word := range words(t, op.At.Start, op.Object.Start) {
		if n++; n > 2 || !strings.EqualFold(word, []string{"create", "table"}[n-1]) {
			return false
		}
	}
	return n == 2
}

// ensureOnlyAdds takes the lock that the INSERT takes, and verifies the tables under it.
func (p *postgres) ensureOnlyAdds(ctx context.Context, st *statement) (bool, error) {
	if st.insertsQuery || !p.isReadCommitted(ctx) {
		return false, nil
	}
	for i := range st.targets {
		x := &st.targets[i]
		if st.op.Acts[i].Verb != dbguard.Insert || p.isVerified(x) {
			continue
		}
		known, err := p.lookUpInsert(ctx, x, ownTx)
		if err != nil || !known.addsOnly {
			return false, ignoreAborted(p, err)
		}
		sure := false
		err = p.conn.Query(ctx, "LOCK TABLE "+x.raw+" IN ROW EXCLUSIVE MODE;\nSELECT "+known.unchangedCond(x, inCallerTx), func(v []any) error {
			sure = asBool(v[0])
			return nil
		})
		if err != nil || !sure {
			delete(p.insertTables, x.raw)
			return false, err
		}
		p.markVerified(x, false)
	}
	return true, nil
}

// insertTable is what the session knows of a table that rows are inserted into.
type insertTable struct {
	queriedAt     time.Time // zero: there is no such table
	addsOnly      bool      // an INSERT does nothing but add rows
	hasForeignKey bool      // whose check counts as a write
	// callsFunctions says that defaults or checks call functions that are not built in, and
	// write nothing.
	callsFunctions bool
	usesSequence   bool   // in a default, which counts as a write
	unchanged      string // the condition that nothing about the table has changed
}

// insertTableTTL is for how long a look-up is used in the caller's transactions: if the table
// has changed, the transaction fails.
const insertTableTTL = time.Minute

// lookUpInsert is queryInsertTable, cached per session and table that exists; in the caller's
// transactions for insertTableTTL.
func (p *postgres) lookUpInsert(ctx context.Context, x *target, way strategy) (insertTable, error) {
	if known, ok := p.insertTables[x.raw]; ok && (way == ownTx || time.Since(known.queriedAt) < insertTableTTL) {
		return known, nil
	}
	known, err := p.queryInsertTable(ctx, x)
	if err != nil || known.queriedAt.IsZero() {
		return known, err
	}
	if p.insertTables == nil || len(p.insertTables) >= maxNames {
		p.insertTables = map[string]insertTable{}
	}
	p.insertTables[x.raw] = known
	return known, nil
}

// queryInsertTable asks the catalogue what else an INSERT into the table runs.
func (p *postgres) queryInsertTable(ctx context.Context, x *target) (known insertTable, err error) {
	if !isRegclassName(x) {
		return known, nil
	}
	text := `SELECT c.oid::int8, c.xmin::text, ` + defaultsSum + `, c.relhastriggers, EXISTS (` + foreignKeysOf + `), NOT (` + noCallsInDefaults + `), ` + usesSequences + `,
 ` + addsOnlyRows + noHiddenCalls + `, pg_catalog.current_setting('transaction_isolation')
FROM pg_catalog.pg_class c WHERE c.oid = ` + regclass(x)
	err = p.conn.Query(ctx, text, func(v []any) error {
		oid := AsText(v[0])
		known.queriedAt = time.Now()
		known.unchanged = `EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = ` + oid + ` AND c.xmin = '` + AsText(v[1]) + `' AND c.oid = ` + regclass(x) + `)
 AND ` + strings.ReplaceAll(defaultsSum, "c.oid", oid) + ` = ` + AsText(v[2])
		if asBool(v[3]) {
			known.unchanged += " AND " + strings.ReplaceAll(noInsertTriggers, "c.oid", oid)
		}
		known.hasForeignKey, known.callsFunctions, known.usesSequence, known.addsOnly = asBool(v[4]), asBool(v[5]), asBool(v[6]), asBool(v[7])
		p.isolation = strings.Clone(AsText(v[8]))
		return nil
	})
	return known, err
}

func regclass(x *target) string {
	return "pg_catalog.to_regclass(" + quoteString(sqlscan.PostgreSQL, x.raw) + ")"
}

// sameTable is the condition that regclass is the table of the statement that it is part of. The
// server keeps the plan of a prepared one, and the constant with it, although the name may mean
// another table since: one that was created in a schema further ahead in the search_path.
func sameTable(x *target) string { return regclass(x) + " = " + plannedRegclass(x) }

// plannedRegclass raises if there is no such table.
func plannedRegclass(x *target) string {
	return quoteString(sqlscan.PostgreSQL, x.raw) + "::pg_catalog.regclass"
}

// Parts of the query, on c, a pg_class. Most changes of a table rewrite its row there. A
// further trigger does not, nor does a default, which is a row of pg_attrdef.
const (
	defaultsSum      = `(SELECT COALESCE(sum(d.oid::int8), 0)::int8 FROM pg_catalog.pg_attrdef d WHERE d.adrelid = c.oid)`
	foreignKeysOf    = `SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f'`
	noInsertTriggers = `NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND (g.tgtype & 4) <> 0 AND g.tgfoid NOT IN ` + harmlessTriggers + `)`
	usesSequences    = `(EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attidentity <> '')
 OR EXISTS (SELECT FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_depend e ON e.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND e.objid = d.oid
  WHERE d.adrelid = c.oid AND e.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.refobjid <> c.oid))`

	addsOnlyRows = `c.relkind = 'r' AND NOT (c.relhasrules OR c.relrowsecurity) AND ` + noInsertTriggers

	noCallsInDefaults = `NOT EXISTS (SELECT FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_depend e ON e.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND e.objid = d.oid
  WHERE d.adrelid = c.oid AND e.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.refobjid >= 16384)
 AND (c.relchecks = 0 OR NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_depend e ON e.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND e.objid = k.oid
  WHERE k.conrelid = c.oid AND k.contype = 'c' AND e.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.refobjid >= 16384))`
)

// isReadCommitted asks, if necessary, whether statements of the caller's transaction see what was
// committed before them: a snapshot older than the lock may not show a trigger that fires.
func (p *postgres) isReadCommitted(ctx context.Context) bool {
	if p.isolation == "" {
		p.isolation, _ = askText(ctx, p.conn, "SHOW transaction_isolation") // unknown is no
	}
	return p.isolation == "read committed"
}

// keepsSnapshot reports that the isolation level is known and is another one: statements cannot
// verify anything by what they see.
func (p *postgres) keepsSnapshot() bool {
	return p.isolation != "" && p.isolation != "read committed"
}

// forgetIsolation notes that another level may have been chosen.
func (p *postgres) forgetIsolation() { p.isolation, p.isolationLocal = "", true }

// rewriteInsert is the rewrite of an INSERT that can verify that nothing else changes.
func (p *postgres) rewriteInsert(ctx context.Context, f *Flight) (w rewrite) {
	x := &f.st.targets[0]
	if !p.insertable(f, x) {
		return w
	}
	j := checks{maxRows: x.op.Rows} // only the seal, which is checked even if there is no row
	known, err := p.lookUpInsert(ctx, x, f.strategy)
	writes := known.hasForeignKey || p.unsealable.has(f.st.op.Text)
	draws := known.usesSequence || containsFold(f.callerText, "nextval")
	switch {
	case err != nil:
		f.noteRewriteErr(err)
	case known.addsOnly && f.strategy == ownTx && !f.st.insertsQuery && (writes || draws) && !p.keepsSnapshot(): // takes longer to plan than the next
		w, j.seal, j.ofTable = rewrite{sealed: true}, known.unchangedCond(x, f.strategy), true
	case f.strategy == ownTx && !writes:
		j.showsRules = p.canShowRules(f)
		w, j.seal = rewrite{sealed: true, detectsRules: j.showsRules}, p.readOnlySeal()
	case f.strategy == inCallerTx && known.addsOnly && !f.st.insertsQuery && p.isReadCommitted(ctx):
		w, j.seal, j.ofTable = rewrite{gated: true}, known.unchangedCond(x, f.strategy), true
	}
	if j.seal != "" {
		w.text, w.onlyAdds, w.tagged = p.checkedText(f, j), true, f.usesCommandTag(j.maxRows)
	}
	return w
}

// unchangedCond is the condition that an INSERT into the table runs nothing that changes rows.
// Where an error would end the caller's transaction it requires no more than that.
func (known insertTable) unchangedCond(x *target, way strategy) string {
	same := known.unchanged
	if way == inCallerTx && !known.callsFunctions {
		same = `EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = ` + regclass(x) + ` AND ` + addsOnlyRows + ` AND ` + noCallsInDefaults + `)`
	}
	return `pg_catalog.current_setting('transaction_isolation') = 'read committed' AND ` + sameTable(x) + ` AND ` + same
}

// insertable reports one INSERT that can be a CTE, and be answered in the form that the adapter
// supports.
func (p *postgres) insertable(f *Flight, x *target) bool {
	st := f.st
	switch {
	case p.major < 10, p.operatorShadowed, st.calls, st.op.Statements != 1, len(st.targets) != 1, len(st.kinds) != 1,
		x.op.Kind != sqlscan.Insert, x.op.Path != sqlscan.Top, x.keyword != "INSERT", p.unrewritable.has(st.op.Text):
		return false
	case f.form == Rows && (x.op.Flags&sqlscan.Returning == 0 || x.op.Rows <= 0 || x.op.Rows > maxBuffered):
		return false
	}
	return isRegclassName(x)
}

// markVerified notes that a statement has verified the table, and its keys or not, under a
// lock that is held until the transaction ends.
func (p *postgres) markVerified(x *target, keys bool) {
	if p.verified == nil || len(p.verified) >= maxNames {
		p.verified = map[string]bool{}
	}
	p.verified[x.cacheKey()] = p.verified[x.cacheKey()] || keys
}

// isVerified reports that the table was verified in this transaction.
func (p *postgres) isVerified(x *target) bool {
	_, ok := p.verified[x.cacheKey()]
	return ok
}

// keepsVerified reports a text after which verified tables still are: it releases no lock,
// changes no structure, and lets names mean what they meant.
func keepsVerified(st *statement) bool {
	if st.opaque || st.calls {
		return false
	}
	for _, kind := range st.kinds {
		switch kind {
		case sqlscan.Read, sqlscan.Insert, sqlscan.Upsert, sqlscan.Update, sqlscan.Delete, sqlscan.Merge, sqlscan.Savepoint, sqlscan.Release:
		default:
			return false
		}
	}
	return true
}
