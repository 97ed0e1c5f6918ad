package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// An INSERT into an ordinary table changes nothing that is there unless a
// trigger, a rule or a function of a default, constraint or index does. One round
// trip is enough: the caller's INSERT stands in a WITH, whose reader asks the
// catalogue, by a snapshot taken under the statement's own lock, whether the
// table is still as the session has met it, and raises if it is not. No trigger
// and no rule can be created under that lock. In the caller's transaction the
// lock stays, and so does what was seen under it: the next INSERT is sent as it
// is written.

// quiet reports that the tables were seen in this transaction.
func (p *postgres) quiet(st *statement) bool {
	switch {
	case p.major < 0:
		return true // it could not count anything
	case st.queries:
		return false
	}
	for i := range st.targets {
		if st.op.Acts[i].Verb == dbguard.Insert && !p.isVerified(&st.targets[i]) {
			return false
		}
	}
	return true
}

// stirs looks at the tables now. What is no ordinary table may do anything.
func (p *postgres) stirs(ctx context.Context, t *sqlscan.Text, st *statement) (bool, error) {
	for i := range st.targets {
		if st.op.Acts[i].Verb != dbguard.Insert {
			continue
		}
		x := &st.targets[i]
		known, err := p.queryInsertTable(ctx, x)
		if err == nil && known.queriedAt.IsZero() && createsTable(t, x) {
			writes, err := p.writers(ctx, calledNames(t)) // in its defaults and checks
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

// makes reports that the text makes the table, if it is not there, as one of which
// nothing else than functions that the text names could change rows.
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

// isCreateTable reports CREATE TABLE and no other words before the name.
func isCreateTable(t *sqlscan.Text, op *sqlscan.Op) bool {
	n := 0
	for word := range words(t, op.At.Start, op.Object.Start) {
		if n++; n > 2 || !strings.EqualFold(word, []string{"create", "table"}[n-1]) {
			return false
		}
	}
	return n == 2
}

// secure takes the lock that the INSERT takes, and looks at the tables under it.
func (p *postgres) secure(ctx context.Context, st *statement) (bool, error) {
	if st.queries || !p.isReadCommitted(ctx) {
		return false, nil
	}
	for i := range st.targets {
		x := &st.targets[i]
		if st.op.Acts[i].Verb != dbguard.Insert || p.isVerified(x) {
			continue
		}
		known, err := p.lookUpInsert(ctx, x, own)
		if err != nil || !known.addsOnly {
			return false, ignoreAborted(p, err)
		}
		sure := false
		err = p.conn.Query(ctx, "LOCK TABLE "+x.raw+" IN ROW EXCLUSIVE MODE;\nSELECT "+known.unchangedCond(x, nested), func(v []any) error {
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

// addingTable is what the session knows of a table that rows are added to.
type insertTable struct {
	queriedAt     time.Time // when; zero: there is none
	addsOnly      bool      // nothing but rows that are added
	hasForeignKey bool      // it has a foreign key: its check counts as writing
	// calls says that its defaults or checks call functions that are not the
	// server's own, and write nothing.
	callsFunctions bool
	// draws says that its defaults draw from sequences, which counts as writing.
	usesSequence bool
	// same is the condition that nothing about it has changed at all.
	unchanged string
}

// metAgo is for how long a table is taken for what it was, in a transaction of the
// caller's: one that has changed costs the transaction.
const insertTableTTL = time.Minute

// met is addsOnly, asked once per session and table that is there, and in a
// transaction of the caller's once in a while.
func (p *postgres) lookUpInsert(ctx context.Context, x *target, way way) (insertTable, error) {
	if known, ok := p.insertTables[x.raw]; ok && (way == own || time.Since(known.queriedAt) < insertTableTTL) {
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

// addsOnly asks the catalogue what adding rows to a table sets off.
func (p *postgres) queryInsertTable(ctx context.Context, x *target) (known insertTable, err error) {
	if !isRegclassName(x) {
		return known, nil
	}
	text := `SELECT c.oid::int8, c.xmin::text, ` + defaultsSum + `, c.relhastriggers, EXISTS (` + foreignKeysOf + `), NOT (` + noCallsInDefaults + `), ` + usesSequences + `,
 ` + addsOnlyRows + noHiddenCalls + `, pg_catalog.current_setting('transaction_isolation')
FROM pg_catalog.pg_class c WHERE c.oid = ` + regclass(x)
	err = p.conn.Query(ctx, text, func(v []any) error {
		oid := asText(v[0])
		known.queriedAt = time.Now()
		known.unchanged = `EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = ` + oid + ` AND c.xmin = '` + asText(v[1]) + `' AND c.oid = ` + regclass(x) + `)
 AND ` + strings.ReplaceAll(defaultsSum, "c.oid", oid) + ` = ` + asText(v[2])
		if asBool(v[3]) {
			known.unchanged += " AND " + strings.ReplaceAll(noInsertTriggers, "c.oid", oid)
		}
		known.hasForeignKey, known.callsFunctions, known.usesSequence, known.addsOnly = asBool(v[4]), asBool(v[5]), asBool(v[6]), asBool(v[7])
		p.isolation = strings.Clone(asText(v[8]))
		return nil
	})
	return known, err
}

func regclass(x *target) string {
	return "pg_catalog.to_regclass(" + quoteString(sqlscan.PostgreSQL, x.raw) + ")"
}

// What is asked of c, a pg_class. Most changes write its row anew. A trigger that is
// not the first does not, nor does a default, which is another row of pg_attrdef.
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

// committed asks, if it is not known, whether a statement in the caller's
// transaction sees what was committed before it: a snapshot that is older than
// the lock may not show a trigger that fires.
func (p *postgres) isReadCommitted(ctx context.Context) bool {
	if p.isolation == "" {
		p.isolation, _ = askText(ctx, p.conn, "SHOW transaction_isolation") // unknown is no
	}
	return p.isolation == "read committed"
}

// keepsSnapshot reports a level of isolation, known to be another one, at which no
// statement can make sure by what it sees.
func (p *postgres) keepsSnapshot() bool {
	return p.isolation != "" && p.isolation != "read committed"
}

// isolated notes that somebody may have chosen another level.
func (p *postgres) forgetIsolation() { p.isolation, p.isolationLocal = "", true }

// wordInsert is the wording of an INSERT, if it is one that can make sure.
func (p *postgres) wordInsert(ctx context.Context, f *Flight) (w wording) {
	x := &f.st.targets[0]
	if !p.insertable(f, x) {
		return w
	}
	j := checks{maxRows: x.op.Rows} // by the seal alone, which is asked for even if there is no row
	known, err := p.lookUpInsert(ctx, x, f.way)
	writes := known.hasForeignKey || p.unsealable.has(f.st.op.Text)
	draws := known.usesSequence || containsFold(f.callers, "nextval")
	switch {
	case err != nil:
		f.fails(err)
	case known.addsOnly && f.way == own && !f.st.queries && (writes || draws) && !p.keepsSnapshot(): // takes longer to plan than the next
		w, j.seal, j.ofTable = wording{sealed: true}, known.unchangedCond(x, f.way), true
	case f.way == own && !writes:
		j.showsRules = p.canShowRules(f)
		w, j.seal = wording{sealed: true, shows: j.showsRules}, p.readOnlySeal()
	case f.way == nested && known.addsOnly && !f.st.queries && p.isReadCommitted(ctx):
		w, j.seal, j.ofTable = wording{gated: true}, known.unchangedCond(x, f.way), true
	}
	if j.seal != "" {
		w.text, w.adds, w.tagged = p.checkedText(f, j), true, f.tags(j.maxRows)
	}
	return w
}

// still is the condition that the table of that name sets nothing off. Where an
// error would end the caller's transaction it is asked for no more than that.
func (known insertTable) unchangedCond(x *target, way way) string {
	same := known.unchanged
	if way == nested && !known.callsFunctions {
		same = `EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = ` + regclass(x) + ` AND ` + addsOnlyRows + ` AND ` + noCallsInDefaults + `)`
	}
	return `pg_catalog.current_setting('transaction_isolation') = 'read committed' AND ` + same
}

// insertable reports that the flight is one INSERT that can stand in a WITH, and
// be answered in the form that the door can run.
func (p *postgres) insertable(f *Flight, x *target) bool {
	st := f.st
	switch {
	case p.major < 10, p.operatorShadowed, st.calls, st.op.Statements != 1, len(st.targets) != 1, len(st.kinds) != 1,
		x.op.Kind != sqlscan.Insert, x.op.Path != sqlscan.Top, x.how != "INSERT", p.unrewritable.has(st.op.Text):
		return false
	case f.form == Rows && (x.op.Flags&sqlscan.Returning == 0 || x.op.Rows <= 0 || x.op.Rows > maxHeld):
		return false
	}
	return isRegclassName(x)
}

// saw notes that a statement has made sure of the table, and of its keys or not,
// under a lock that stays until the transaction ends.
func (p *postgres) markVerified(x *target, keys bool) {
	if p.verified == nil || len(p.verified) >= maxNames {
		p.verified = map[string]bool{}
	}
	p.verified[x.cacheKey()] = p.verified[x.cacheKey()] || keys
}

// sure reports that the transaction has made sure of the table.
func (p *postgres) isVerified(x *target) bool {
	_, ok := p.verified[x.cacheKey()]
	return ok
}

// keepsSeen reports a text after which what was seen under locks still holds: it
// releases none, changes no structure, and lets names mean what they meant.
func keepsVerified(st *statement) bool {
	if st.elsewhere || st.calls {
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
