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

// knownToOnlyAdd reports that the tables were seen in this transaction.
func (p *postgres) knownToOnlyAdd(st *statement) bool {
	switch {
	case p.major < 0:
		return true // it could not count anything
	case st.insertsQuery:
		return false
	}
	for i := range st.targets {
		if st.op.Acts[i].Verb == dbguard.Insert && !p.sure(&st.targets[i]) {
			return false
		}
	}
	return true
}

// mayChangeRows looks at the tables now. What is no ordinary table may do anything.
func (p *postgres) mayChangeRows(ctx context.Context, t *sqlscan.Text, st *statement) (bool, error) {
	for i := range st.targets {
		if st.op.Acts[i].Verb != dbguard.Insert {
			continue
		}
		x := &st.targets[i]
		known, err := p.addsOnly(ctx, x)
		if err == nil && known.found.IsZero() && makes(t, x) {
			writes, err := p.functionsMayWrite(ctx, calledNames(t)) // in its defaults and checks
			if err == nil && !writes {
				continue
			}
		}
		if err != nil || !known.ok {
			return true, unlessAborted(p, err)
		}
	}
	return false, nil
}

// makes reports that the text makes the table, if it is not there, as one of which
// nothing else than functions that the text names could change rows.
func makes(t *sqlscan.Text, x *target) bool {
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
			made = made || isRegclass(x) && isCreateTable(t, op) && slices.Equal(nameParts(t, op.Object), x.name)
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

// ensureOnlyAdds takes the lock that the INSERT takes, and looks at the tables under it.
func (p *postgres) ensureOnlyAdds(ctx context.Context, st *statement) (bool, error) {
	if st.insertsQuery || !p.committed(ctx) {
		return false, nil
	}
	for i := range st.targets {
		x := &st.targets[i]
		if st.op.Acts[i].Verb != dbguard.Insert || p.sure(x) {
			continue
		}
		known, err := p.met(ctx, x, ownTx)
		if err != nil || !known.ok {
			return false, unlessAborted(p, err)
		}
		sure := false
		err = p.conn.Query(ctx, "LOCK TABLE "+x.raw+" IN ROW EXCLUSIVE MODE;\nSELECT "+known.still(x, inCallerTx), func(v []any) error {
			sure = asBool(v[0])
			return nil
		})
		if err != nil || !sure {
			delete(p.adding, x.raw)
			return false, err
		}
		p.saw(x, false)
	}
	return true, nil
}

// addingTable is what the session knows of a table that rows are added to.
type addingTable struct {
	found time.Time // when; zero: there is none
	ok    bool      // nothing but rows that are added
	keyed bool      // it has a foreign key: its check counts as writing
	// calls says that its defaults or checks call functions that are not the
	// server's own, and write nothing.
	calls bool
	// draws says that its defaults draw from sequences, which counts as writing.
	draws bool
	// same is the condition that nothing about it has changed at all.
	same string
}

// metAgo is for how long a table is taken for what it was, in a transaction of the
// caller's: one that has changed costs the transaction.
const metAgo = time.Minute

// met is addsOnly, asked once per session and table that is there, and in a
// transaction of the caller's once in a while.
func (p *postgres) met(ctx context.Context, x *target, way strategy) (addingTable, error) {
	if known, ok := p.adding[x.raw]; ok && (way == ownTx || time.Since(known.found) < metAgo) {
		return known, nil
	}
	known, err := p.addsOnly(ctx, x)
	if err != nil || known.found.IsZero() {
		return known, err
	}
	if p.adding == nil || len(p.adding) >= maxNames {
		p.adding = map[string]addingTable{}
	}
	p.adding[x.raw] = known
	return known, nil
}

// addsOnly asks the catalogue what adding rows to a table sets off.
func (p *postgres) addsOnly(ctx context.Context, x *target) (known addingTable, err error) {
	if !isRegclass(x) {
		return known, nil
	}
	text := `SELECT c.oid::int8, c.xmin::text, ` + defaultsOf + `, c.relhastriggers, EXISTS (` + keysOf + `), NOT (` + callsNothing + `), ` + drawsFrom + `,
 ` + addsOnlyRows + isSimple + `, pg_catalog.current_setting('transaction_isolation')
FROM pg_catalog.pg_class c WHERE c.oid = ` + regclass(x)
	err = p.conn.Query(ctx, text, func(v []any) error {
		oid := asText(v[0])
		known.found = time.Now()
		known.same = `EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = ` + oid + ` AND c.xmin = '` + asText(v[1]) + `' AND c.oid = ` + regclass(x) + `)
 AND ` + strings.ReplaceAll(defaultsOf, "c.oid", oid) + ` = ` + asText(v[2])
		if asBool(v[3]) {
			known.same += " AND " + strings.ReplaceAll(noTriggers, "c.oid", oid)
		}
		known.keyed, known.calls, known.draws, known.ok = asBool(v[4]), asBool(v[5]), asBool(v[6]), asBool(v[7])
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
	defaultsOf = `(SELECT COALESCE(sum(d.oid::int8), 0)::int8 FROM pg_catalog.pg_attrdef d WHERE d.adrelid = c.oid)`
	keysOf     = `SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f'`
	noTriggers = `NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND (g.tgtype & 4) <> 0 AND g.tgfoid NOT IN ` + harmlessTriggers + `)`
	drawsFrom  = `(EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attidentity <> '')
 OR EXISTS (SELECT FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_depend e ON e.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND e.objid = d.oid
  WHERE d.adrelid = c.oid AND e.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.refobjid <> c.oid))`

	addsOnlyRows = `c.relkind = 'r' AND NOT (c.relhasrules OR c.relrowsecurity) AND ` + noTriggers

	callsNothing = `NOT EXISTS (SELECT FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_depend e ON e.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND e.objid = d.oid
  WHERE d.adrelid = c.oid AND e.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.refobjid >= 16384)
 AND (c.relchecks = 0 OR NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_depend e ON e.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND e.objid = k.oid
  WHERE k.conrelid = c.oid AND k.contype = 'c' AND e.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.refobjid >= 16384))`
)

// committed asks, if it is not known, whether a statement in the caller's
// transaction sees what was committed before it: a snapshot that is older than
// the lock may not show a trigger that fires.
func (p *postgres) committed(ctx context.Context) bool {
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
func (p *postgres) isolated() { p.isolation, p.chosen = "", true }

// wordInsert is the wording of an INSERT, if it is one that can make sure.
func (p *postgres) wordInsert(ctx context.Context, f *Flight) (w rewrite) {
	x := &f.st.targets[0]
	if !p.insertable(f, x) {
		return w
	}
	j := judged{atMost: x.op.Rows} // by the seal alone, which is asked for even if there is no row
	known, err := p.met(ctx, x, f.strategy)
	writes := known.keyed || p.costly.has(f.st.op.Text)
	draws := known.draws || containsFold(f.callerText, "nextval")
	switch {
	case err != nil:
		f.noteRewriteErr(err)
	case known.ok && f.strategy == ownTx && !f.st.insertsQuery && (writes || draws) && !p.keepsSnapshot(): // takes longer to plan than the next
		w, j.seal, j.seen = rewrite{sealed: true}, known.still(x, f.strategy), true
	case f.strategy == ownTx && !writes:
		j.shows = p.showsRules(f)
		w, j.seal = rewrite{sealed: true, detectsRules: j.shows}, p.nothingWritten()
	case f.strategy == inCallerTx && known.ok && !f.st.insertsQuery && p.committed(ctx):
		w, j.seal, j.seen = rewrite{gated: true}, known.still(x, f.strategy), true
	}
	if j.seal != "" {
		w.text, w.onlyAdds, w.tagged = p.judgedText(f, j), true, f.usesCommandTag(j.atMost)
	}
	return w
}

// still is the condition that the table of that name sets nothing off. Where an
// error would end the caller's transaction it is asked for no more than that.
func (known addingTable) still(x *target, way strategy) string {
	same := known.same
	if way == inCallerTx && !known.calls {
		same = `EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = ` + regclass(x) + ` AND ` + addsOnlyRows + ` AND ` + callsNothing + `)`
	}
	return `pg_catalog.current_setting('transaction_isolation') = 'read committed' AND ` + same
}

// insertable reports that the flight is one INSERT that can stand in a WITH, and
// be answered in the form that the door can run.
func (p *postgres) insertable(f *Flight, x *target) bool {
	st := f.st
	switch {
	case p.major < 10, p.deceives, st.calls, st.op.Statements != 1, len(st.targets) != 1, len(st.kinds) != 1,
		x.op.Kind != sqlscan.Insert, x.op.Path != sqlscan.Top, x.keyword != "INSERT", p.unfit.has(st.op.Text):
		return false
	case f.form == Rows && (x.op.Flags&sqlscan.Returning == 0 || x.op.Rows <= 0 || x.op.Rows > maxBuffered):
		return false
	}
	return isRegclass(x)
}

// saw notes that a statement has made sure of the table, and of its keys or not,
// under a lock that stays until the transaction ends.
func (p *postgres) saw(x *target, keys bool) {
	if p.seen == nil || len(p.seen) >= maxNames {
		p.seen = map[string]bool{}
	}
	p.seen[x.key()] = p.seen[x.key()] || keys
}

// sure reports that the transaction has made sure of the table.
func (p *postgres) sure(x *target) bool {
	_, ok := p.seen[x.key()]
	return ok
}

// keepsSeen reports a text after which what was seen under locks still holds: it
// releases none, changes no structure, and lets names mean what they meant.
func keepsSeen(st *statement) bool {
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
