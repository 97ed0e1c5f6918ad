package engine

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// The fast path of MySQL, which has no compound statements outside of routines, is a
// prepared statement of the adapter's: the caller's, in a text that cannot do more than
// it may. It takes one round trip, needs neither a transaction nor a savepoint, and
// returns what the driver returns for the caller's own.
//
// The bound is a part of its condition, which counts the rows that it finds and raises an
// error at the first one too many. InnoDB undoes what a failed statement has changed, and
// keeps the transaction. The count is a user variable. It needs no reset, since it
// continues from a number that is larger each time.
//
// The definition check is its table's name, quoted as "t": that is a name only under
// ANSI_QUOTES, which is on for nothing but PREPARE. If the table was replaced, altered,
// evicted from the server's cache, given a trigger or referenced by another foreign key
// since PREPARE, the server parses the text again before it executes it, now under the
// session's sql_mode, where it is a syntax error. (Every load of a definition gets a number
// of its own, and a prepared statement remembers it: TABLE_SHARE::table_map_id in the
// server's source. DDL on a child table has its parents' definitions loaded again:
// Foreign_key_parents_invalidator.) The manual says that the sql_mode of PREPARE is used
// again; so each session tries that once, with a text that is parsed again for the type of
// its parameter.
//
// A replica would run the text, too, under the sql_mode of the session, if the binary log had
// it: so the log must have rows.
//
// What the catalogue says after PREPARE thus holds as long as the text can be executed, and
// the metadata lock that it then takes keeps the definition as it is. Since MySQL 8 that
// includes foreign keys in child tables, for which DDL locks the parents, too. But the
// catalogue is read like any table, so that it may be as old as the snapshot of the
// caller's transaction: it is trusted outside of one, or if PREPARE was before its start.

// canBePrepared reports a statement on one table that does the same if that is quoted,
// and under ANSI_QUOTES. An INSERT without arguments is not worth it: the ordinary way
// takes four round trips.
func canBePrepared(text string, x *target, args []driver.NamedValue) bool {
	return x.op.Path == sqlscan.Top && x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised|sqlscan.Returning) == 0 &&
		(len(args) > 0 || x.op.Kind != sqlscan.Insert) && len(text) < 1<<12 && !strings.ContainsAny(text, `"\`) &&
		!mayHaveSubquery(text, x) && !containsFold(text[:x.op.Object.Start], "ignore")
}

// mayHaveSubquery reports a text that the server may run as a join, where it counts rows that
// the join then drops: (VALUES ROW(1)) and (TABLE t) are subqueries, too.
func mayHaveSubquery(text string, x *target) bool {
	if containsFold(text, "select") {
		return true
	}
	if x.op.Kind == sqlscan.Insert || !containsFold(text, "values") && !containsFold(text, "table") {
		return false
	}
	for word := range identifiers(text) {
		if strings.EqualFold(word, "values") || strings.EqualFold(word, "table") {
			return true
		}
	}
	return false
}

// mysqlBound is the condition that counts. It fails with an error that has no other cause.
const mysqlBound = "IF((@dbguard := CAST(GREATEST(@dbguard, ?) AS SIGNED) + 1) <= ?, 1, UUID_TO_BIN(CONCAT('dbguard ', @dbguard)))"

// preparedText is the text to prepare, typed if that is known to be needed.
func (e *fastPath) preparedText() string {
	if e.m.texts.typed[e.text.Source] {
		return e.preparedWith(typedParam)
	}
	return e.preparedWith(untypedParam)
}

func (e *fastPath) preparedWith(param func(driver.Value) (string, bool)) string {
	t, object, w := e.text, e.target.op.Object, e.target.op.Where
	text, bound := mariaMarker+t.Source[:object.End], mariaBound
	if e.m.system() == "mysql" {
		names := make([]string, len(e.target.name))
		for i, name := range e.target.name {
			names[i] = quoteName(name)
		}
		text, bound = t.Source[:object.Start]+strings.Join(names, "."), mysqlBound
	}
	if e.kind == sqlscan.Insert {
		values, _ := replaceParams(t, object.End, e.clauses.end, e.args, 0, param)
		return text + values
	}
	before := countParams(t, object.End, w.Start)
	head, _ := replaceParams(t, object.End, w.Start, e.args, 0, param)
	condition, _ := replaceParams(t, w.Start, w.End, e.args, before, param)
	return text + head + "(" + condition + ") AND " + bound + t.Source[w.End:e.clauses.end]
}

func untypedParam(driver.Value) (string, bool) { return "?", true }

// typedParam is a parameter of the type that the value has, if that is a number. The server
// derives a parameter's type from what it is compared with or assigned to, and if the value
// has another one it parses the text again, and takes that. In the caller's text both are
// right; but a cast does not compare with YEAR and the like as a number does. So it is used
// only where the text would be parsed again each time, and not with such a condition.
func typedParam(v driver.Value) (text string, ok bool) {
	switch v.(type) {
	case int64, bool:
		return "CAST(? AS SIGNED)", true
	case uint64:
		return "CAST(? AS UNSIGNED)", true
	case float64:
		return "CAST(? AS DOUBLE)", true
	}
	return "?", true
}

// preparedArgs are the caller's arguments, and those of the condition that counts.
func (e *fastPath) preparedArgs(limit int64) []driver.NamedValue {
	if e.kind == sqlscan.Insert {
		return e.args
	}
	count := &e.m.texts.counter
	bounds := []driver.NamedValue{{Value: *count}, {Value: *count + limit}}
	*count += limit + 2
	args := slices.Insert(slices.Clone(e.args), countParams(e.text, 0, e.target.op.Where.End), bounds...)
	for i := range args {
		args[i].Ordinal = i + 1
	}
	return args
}

// runPrepared is run for MySQL. A text whose table has changed since is prepared again,
// once. One without arguments, which may be another one every time, is kept from the second
// time on.
func (e *fastPath) runPrepared(f *Flight) (_ ExecResult, done bool, err error) {
	m := e.m
	once := len(e.args) == 0 && !m.texts.literal.has(e.text.Source)
	if once {
		m.texts.literal.add(e.text.Source)
	}
	for {
		p, err := e.learned(f, e.preparedText(), once)
		switch {
		case err != nil:
			return f.endUnprepared(err)
		case p == nil:
			f.op.Abandon()
			return ExecResult{}, false, nil
		}
		res, err := p.stmt.Exec(f.ctx, e.preparedArgs(f.op.Limit()))
		if once {
			m.texts.drop(p)
		}
		switch {
		case err == nil:
			p.ran = true
			return e.endPrepared(f, res)
		case !mysqlError(err, "1064") && !mysqlError(err, "1243"): // parsed again, or unknown: the session is another one
			return e.refusedOrFailed(f, err)
		}
		if m.texts.drop(p); !p.ran && !m.texts.noteTyped(e.text.Source) { // it would fail again
			m.backOff(e.target, false)
			f.op.Abandon()
			return ExecResult{}, false, nil
		}
	}
}

// endUnprepared ends an operation whose text could not be prepared.
func (f *Flight) endUnprepared(err error) (_ ExecResult, done bool, _ error) {
	f.s.broken = f.s.broken || f.s.connectionLost(err)
	return ExecResult{}, true, f.endUnsent(f.ctx, err)
}

// endPrepared ends an operation that the server has found within its bound.
func (e *fastPath) endPrepared(f *Flight, res driver.Result) (r ExecResult, done bool, err error) {
	if r.RowsAffected, err = res.RowsAffected(); err == nil {
		r.LastInsertID, err = res.LastInsertId()
	}
	if err != nil {
		return ExecResult{}, true, f.op.End(dbguard.EffectUnknown, err)
	}
	e.m.noteChanges(f.st, f.strategy == ownTx)
	count := dbguard.Count{Rows: r.RowsAffected}
	if e.kind == sqlscan.Insert {
		count.Rows = 0
	}
	if f.op.Settle(count) != nil { // no row at all, where one was expected
		return ExecResult{}, true, f.op.End(dbguard.EffectUndone, nil)
	}
	return r, true, f.op.End(dbguard.EffectApplied, nil)
}

// refusedOrFailed ends an operation whose statement the server has undone. A DELETE finds
// as many rows as it would delete, unless it has a LIMIT; an UPDATE need not change those
// that it finds.
func (e *fastPath) refusedOrFailed(f *Flight, err error) (_ ExecResult, done bool, _ error) {
	over := mysqlError(err, "1411") && strings.Contains(err.Error(), "'dbguard ")
	if !over && !e.fromTyped(err) {
		return e.failed(f, err)
	}
	if over && e.kind == sqlscan.Delete && strings.TrimSpace(e.text.Source[e.target.op.Where.End:e.clauses.end]) == "" &&
		f.op.Settle(dbguard.Count{Rows: f.op.Limit() + 1}) != nil {
		return ExecResult{}, true, f.op.End(dbguard.EffectUndone, nil)
	}
	f.op.Abandon()
	return ExecResult{}, false, nil
}

// fromTyped reports an error that may be typedParam's: it shows an expression of its, a
// string that is to be a number is none (1292), which the server does not check if it takes
// the types of all values, or sql_safe_updates misses a key (1175).
func (e *fastPath) fromTyped(err error) bool {
	return e.m.texts.typed[e.text.Source] && (e.kind != sqlscan.Insert && mysqlError(err, "1292") || mysqlError(err, "1175") || strings.Contains(err.Error(), "cast(? as "))
}

// learned is the prepared text, if it is known to do no more than it says.
func (e *fastPath) learned(f *Flight, text string, once bool) (*guardedText, error) {
	m := e.m
	p := m.texts.find(text)
	if p == nil && once && f.strategy == inCallerTx {
		return nil, nil // it would be of use only after this transaction
	}
	if p == nil {
		var err error
		if err = m.prepare(f.ctx, f.s, text); err != nil {
			return nil, err
		}
		if p = m.texts.find(text); p == nil {
			m.backOff(e.target, false)
			return nil, nil
		}
	}
	if p.plain {
		return p, nil
	}
	if f.strategy == inCallerTx && p.preparedInTx == m.endedTxs && !p.first {
		return nil, nil
	}
	plain, err := e.isPlain(f.ctx)
	if p.plain = plain; !plain {
		m.texts.drop(p)
		m.backOff(e.target, false)
		return nil, err
	}
	return p, nil
}

// isPlain asks the catalogue whether the statement changes nothing but rows of its table:
// that is InnoDB's, has no trigger for the event and, except for an INSERT, no foreign key
// that leads from it to other rows. An account without PROCESS sees all keys if it sees all
// tables; where the session's counters include what keys change, it can do without.
func (e *fastPath) isPlain(ctx context.Context) (bool, error) {
	m, t := e.m, e.table()
	fires := map[sqlscan.Kind]string{sqlscan.Insert: "INSERT", sqlscan.Update: "UPDATE", sqlscan.Delete: "DELETE"}[e.kind]
	text := "SELECT NOT FIND_IN_SET('ANSI_QUOTES', @@sql_mode) AND @@completion_type = 'NO_CHAIN' AND @@partial_revokes = 0 AND DATABASE() <=> " + nullableString(m.database) +
		" AND EXISTS (SELECT 1 FROM information_schema.TABLES WHERE " + t.condition("") + " AND TABLE_TYPE = 'BASE TABLE' AND ENGINE = 'InnoDB')" +
		" AND NOT EXISTS (SELECT 1 FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = " + quoteString(sqlscan.MySQL, t.schema) +
		" AND EVENT_OBJECT_TABLE = " + quoteString(sqlscan.MySQL, t.name) + " AND EVENT_MANIPULATION = '" + fires + "')"
	if e.kind != sqlscan.Insert {
		if m.texts.typed[e.text.Source] {
			text += " AND NOT " + e.comparesTimes()
		}
		keys, err := e.leadingKeys(ctx)
		if keys == "" || err != nil {
			return false, err
		}
		text += " AND (NOT EXISTS (" + keys + ")"
		if e.kind == sqlscan.Update {
			text += " OR " + e.unindexedCondition()
		}
		text += ")"
	}
	plain, err := askInts(ctx, m.conn, text)
	switch {
	case err != nil && dictionaryDenied(err) && !m.noDictionary:
		m.noDictionary = true
		return e.isPlain(ctx)
	case err != nil:
		return false, fatalError(err)
	}
	return plain[0] != 0, nil
}

// comparesTimes holds if the statement may compare a column of a type for dates or times.
func (e *fastPath) comparesTimes() string {
	names := []string{"''"}
	for name := range identifiers(e.text.Source[e.target.op.Where.Start:e.target.op.Where.End]) {
		names = append(names, quoteString(sqlscan.MySQL, name))
	}
	assigned, depth := true, 0 // what follows is a column that SET changes
	for tok := range tokens(e.text, e.clauses.set+int32(len("SET")), e.clauses.tail) {
		switch {
		case tok.Kind == sqlscan.Punct:
			depth += depthChange(tok.Byte)
			assigned = tok.Byte != '=' && (assigned || depth == 0 && tok.Byte == ',')
		case isName(tok) && !assigned:
			names = append(names, quoteString(sqlscan.MySQL, nameAt(e.text, tok)))
		}
	}
	return "EXISTS (SELECT 1 FROM information_schema.COLUMNS WHERE " + e.table().condition("") + " AND COLUMN_NAME IN (" + strings.Join(names, ", ") +
		") AND DATA_TYPE IN ('year', 'date', 'time', 'datetime', 'timestamp'))"
}

// leadingKeys selects the foreign keys that lead from the table to other rows; "" if the
// account may not see all.
func (e *fastPath) leadingKeys(ctx context.Context) (string, error) {
	m, t := e.m, e.table()
	bits, rule := deleteCascade|deleteSetNull, "DELETE_RULE"
	if e.kind == sqlscan.Update {
		bits, rule = updateCascade|updateSetNull, "UPDATE_RULE"
	}
	if !m.noDictionary {
		return fmt.Sprintf("SELECT 1 FROM %s WHERE %s AND TYPE & %d", m.innodbForeign(), m.referencesAny([]mysqlTable{t}), bits), nil
	}
	if counted, err := m.countsCascades(ctx); err != nil || counted && m.visibility != allTriggersVisible {
		return "", err
	}
	return "SELECT 1 FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE UNIQUE_CONSTRAINT_SCHEMA = " + quoteString(sqlscan.MySQL, t.schema) +
		" AND REFERENCED_TABLE_NAME = " + quoteString(sqlscan.MySQL, t.name) + " AND " + rule + " IN ('CASCADE', 'SET NULL')", nil
}

func nullableString(s string) string {
	if s == "" {
		return "NULL"
	}
	return quoteString(sqlscan.MySQL, s)
}
