package dbguard

import (
	"fmt"
	"strings"
)

// rowRules are about the existing rows that an operation deletes or changes.
var rowRules = []*rule{
	{
		Rule: Rule{
			ID: Unbounded, Name: "Unbounded", Since: firstVersion, Default: Deny,
			Title: "a DELETE, UPDATE, MERGE, upsert or REPLACE has no bound",
			Why:   "A reviewed maintenance script deleted every record of a table: nobody had said how many it was meant to touch.",
			Bad:   `db.ExecContext(ctx, "DELETE FROM users WHERE id = 7")`,
			Good:  `db.ExecContext(dbguard.AtMost(ctx, 1), "DELETE FROM users WHERE id = 7")`,
			Fix:   "Say how many rows it may change: dbguard.AtMost(ctx, n).",
		},
		check: func(q *inquiry, a *Act) answer {
			switch {
			case a.Verb == Insert && !q.bounded():
				return hitsIfAny
			case a.Verb.asks():
				return passes
			}
			return when(a.Verb.destroysRows() && a.Verb != Call && !q.bounded())
		},
		message: func(q *inquiry, a *Act) string {
			return onOp("has no bound")(q, a) + indirectTables(q.count)
		},
		fix:   fixed("Say how many rows it may change: dbguard.AtMost(ctx, n)"),
		perOp: true,
	},
	{
		Rule: Rule{
			ID: Unfiltered, Name: "Unfiltered", Since: firstVersion, Default: Deny,
			Title: "a DELETE or UPDATE without WHERE finds rows",
			Why:   "ORMs drop a condition whose value is nil, zero or undefined, and send the statement without it.",
			Bad:   `db.ExecContext(dbguard.AtMost(ctx, 10), "DELETE FROM users")`,
			Good:  `db.ExecContext(dbguard.Allow(dbguard.AtMost(ctx, 10), "fixtures are rebuilt", dbguard.AllRows("users")), "DELETE FROM users")`,
			Fix:   "Add a WHERE, or name the table in dbguard.AllRows. A table without rows passes.",
		},
		check:   everyRow(NoFilter),
		message: onObject("has no WHERE: every row is addressed"),
		fix:     grantFix("Add a WHERE, or say that every row is meant"),
	},
	{
		Rule: Rule{
			ID: AlwaysTrue, Name: "AlwaysTrue", Since: firstVersion, Default: Deny,
			Title: "the WHERE of a DELETE or UPDATE is true for every row",
			Why:   "NOT IN with an empty list, a filter in the wrong argument or a condition in the host language all become WHERE 1=1.",
			Bad:   `db.ExecContext(dbguard.AtMost(ctx, 10), "DELETE FROM users WHERE 1 = 1")`,
			Good:  `db.ExecContext(dbguard.AtMost(ctx, 10), "DELETE FROM users WHERE id = 7")`,
			Fix:   "Write the condition that is meant, or name the table in dbguard.AllRows.",
		},
		check:   everyRow(AlwaysMet),
		message: onObject("has a WHERE that is true for every row"),
		fix:     grantFix("Write the condition that is meant, or say that every row is"),
	},
	{
		Rule: Rule{
			ID: OverLimit, Name: "OverLimit", Since: firstVersion, Default: Deny,
			Title: "more existing rows would be deleted or changed than the bound says",
			Why:   "A limit that was dropped on the way turned 8 thousand intended rows into 45 million.",
			Bad:   `db.ExecContext(dbguard.AtMost(ctx, 1), "DELETE FROM users WHERE id > 0")`,
			Good:  `db.ExecContext(dbguard.AtMost(ctx, 10), "DELETE FROM users WHERE id > 0")`,
			Fix:   "Raise the bound, dbguard.AtMost(ctx, n), or narrow the condition.",
		},
		check: func(q *inquiry, _ *Act) answer {
			return when(q.ran && q.bound.set() && q.count.Rows > q.bound.limit)
		},
		message: func(q *inquiry, a *Act) string {
			return onOp("would change more than "+rows(q.bound.limit))(q, a) + indirectTables(q.count)
		},
		fix:   func(q *inquiry, _ *Act) string { return "Raise the bound: " + q.bound.raise },
		perOp: true,
	},
	{
		Rule: Rule{
			ID: UnderLimit, Name: "UnderLimit", Since: firstVersion, Default: Deny,
			Title: "fewer rows of the named table are changed than Exactly says",
			Why:   "A statement that finds nothing is as wrong as one that finds too much, and quieter.",
			Bad:   `db.ExecContext(dbguard.Exactly(ctx, 1), "DELETE FROM users WHERE id = 99")`,
			Good:  `db.ExecContext(dbguard.Exactly(ctx, 1), "DELETE FROM users WHERE id = 7")`,
			Fix:   "Look why the row is not there, or use dbguard.AtMost.",
		},
		check: func(q *inquiry, a *Act) answer {
			if a.Verb.asks() {
				return passes // it names no rows that are there
			}
			return when(q.ran && q.bound.exact && q.count.Rows >= 0 && q.named() < q.bound.limit)
		},
		message: func(q *inquiry, a *Act) string {
			return onOp(fmt.Sprintf("changed %s, not exactly %d", rows(q.named()), q.bound.limit))(q, a)
		},
		fix:   fixed("Look why they are not there, or allow fewer: dbguard.AtMost(ctx, n)"),
		perOp: true,
	},
	{
		Rule: Rule{
			ID: OverBudget, Name: "OverBudget", Since: firstVersion, Default: Deny,
			Title: "the statements of a budget together would change too many rows",
			Why:   "A loop of deletes of one row each empties a table, and every single one is within its bound.",
			Bad:   `db.ExecContext(dbguard.Budget(ctx, 1), "DELETE FROM users WHERE id IN (7, 8)")`,
			Good:  `db.ExecContext(dbguard.Budget(ctx, 10), "DELETE FROM users WHERE id IN (7, 8)")`,
			Fix:   "Raise the budget, dbguard.Budget(ctx, n), or look what the loop runs over.",
		},
		check: func(q *inquiry, _ *Act) answer {
			return when(q.ran && q.budgetLeft >= 0 && q.count.Rows > q.budgetLeft)
		},
		message: func(q *inquiry, a *Act) string {
			return onOp("would exceed its budget, "+rows(q.budgetLeft)+" left")(q, a) + indirectTables(q.count)
		},
		fix:   fixed("Raise the budget: dbguard.Budget(ctx, n)"),
		perOp: true,
	},
	{
		Rule: Rule{
			ID: Uncountable, Name: "Uncountable", Since: firstVersion, Default: Deny,
			Title: "the engine can neither count nor undo what the statement changes",
			Why:   "On MyISAM, Aria and MEMORY tables a ROLLBACK undoes nothing and says so only in a warning.",
			Bad:   `db.ExecContext(dbguard.AtMost(ctx, 1), "DELETE FROM myisam_table WHERE id = 7")`,
			Good:  `db.ExecContext(dbguard.AtMost(ctx, 1), "DELETE FROM innodb_table WHERE id = 7")`,
			Fix:   "Move the table to a transactional engine, or take the responsibility with dbguard.Opaque.",
		},
		check: func(q *inquiry, a *Act) answer {
			blind := q.uncountable || (q.ran && q.count.Rows < 0)
			lost := blind && a.Verb.destroysRows() && q.bounded()
			return when((a.Verb == Uncounted || lost) && !q.granted(Opaque()))
		},
		message: onObject("cannot be counted or undone"),
		fix: func(*inquiry, *Act) string {
			return allowFix("Use a transactional engine, or take the responsibility", Opaque())
		},
	},
	{
		Rule: Rule{
			ID: Unconfirmed, Name: "Unconfirmed", Since: firstVersion, Default: Deny,
			Title: "the reply to COMMIT was lost: the rows may or may not have changed",
			Why:   "A connection that dies during COMMIT looks like a failure; the statement run again changes the rows twice.",
			Fix:   "Look at the rows before running the statement again.",
		},
		message: func(q *inquiry, _ *Act) string { return "the reply to " + q.op.String() + " was lost" },
		fix:     fixed("Look at the rows before running it again"),
		perOp:   true,
	},
}

// everyRow is the check of the two rules against addressing a whole table. It needs a
// row to be affected, so that clearing an empty table passes.
func everyRow(f Filter) func(*inquiry, *Act) answer {
	return func(q *inquiry, a *Act) answer {
		if !a.Verb.addressesRows() || a.Filter != f || q.granted(AllRows(a.Object)) {
			return passes
		}
		return hitsIfAny
	}
}

// named is the number of rows in the tables that the statement names.
func (q *inquiry) named() int64 {
	if len(q.count.Tables) == 0 {
		return q.count.Rows
	}
	var n int64
	for _, t := range q.count.Tables {
		if t.Via == "" {
			n += t.Rows
		}
	}
	return n
}

// indirectTables lists the tables with their rows, if one was reached indirectly.
func indirectTables(c Count) string {
	var parts []string
	indirect := false
	for _, t := range c.Tables {
		indirect = indirect || t.Via != ""
		parts = append(parts, t.String())
	}
	if !indirect {
		return ""
	}
	return ": " + strings.Join(parts, " and ")
}

// onOp is a phrase after "DELETE on users".
func onOp(phrase string) func(*inquiry, *Act) string {
	return func(q *inquiry, _ *Act) string { return q.op.String() + " " + phrase }
}
