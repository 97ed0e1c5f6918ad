package dbguard

// textRules are about texts whose effect the guard cannot read.
var textRules = []*rule{
	{
		Rule: Rule{
			ID: Unreadable, Name: "Unreadable", Since: firstVersion, Default: Deny,
			Title: "the text cannot be read with certainty",
			Why:   "A guard that takes what it cannot read for harmless is passed by whoever writes what it cannot read.",
			Bad:   `db.ExecContext(dbguard.AtMost(ctx, 1), "DELETE FROM users WHERE name = 'x")`,
			Good:  `db.ExecContext(dbguard.AtMost(ctx, 1), "DELETE FROM users WHERE name = 'x'")`,
			Fix:   "Correct the text, or take the responsibility with dbguard.Opaque.",
		},
		check:   ungranted(Unread),
		message: onObject("cannot be read"),
		fix:     grantFix("Correct the text, or take the responsibility"),
	},
	{
		Rule: Rule{
			ID: Stacked, Name: "Stacked", Since: firstVersion, Default: Deny,
			Title: "a text of several statements deletes or changes rows",
			Why:   "An injected statement, or a COMMIT behind a DELETE, hides in a text that looks like one.",
			Bad:   `db.ExecContext(dbguard.AtMost(ctx, 1), "SELECT 1; DELETE FROM users WHERE id = 7")`,
			Good:  `db.ExecContext(dbguard.AtMost(ctx, 1), "DELETE FROM users WHERE id = 7")`,
			Fix:   "Send the statements one by one.",
		},
		check: func(q *inquiry, a *Act) answer {
			changes := a.Verb.destroysRows() || a.Verb == Run || a.Verb == Uncounted
			if q.op.Statements == 1 || !changes || q.granted(Opaque()) {
				return passes
			}
			switch {
			case !a.Verb.asks():
				return hits
			case q.op.asks():
				return hitsIfAny
			}
			return passes
		},
		message: onOp("stands in a text of several statements"),
		fix: func(*inquiry, *Act) string {
			return allowFix("Send them one by one, or take the responsibility", Opaque())
		},
		perOp: true,
	},
	{
		Rule: Rule{
			ID: RuleOpaque, Name: "Opaque", Since: firstVersion, Default: Deny,
			Title: "code that is elsewhere is run: DO, CALL, EXECUTE, functions that write",
			Why:   "What a procedure does is not in the text; its command tag and row count say nothing of it.",
			Bad:   `db.ExecContext(ctx, "CALL purge()")`,
			Good:  `db.ExecContext(dbguard.Allow(ctx, "nightly job, reviewed", dbguard.Opaque()), "CALL purge()")`,
			Fix:   "Where the engine can count what it does, give it a bound; else take the responsibility with dbguard.Opaque.",
		},
		check: func(q *inquiry, a *Act) answer {
			blind := a.Verb == Run || (a.Verb == Call && !q.bounded())
			switch {
			case blind || (q.ran && q.count.Structure):
				return when(!q.granted(Opaque()))
			case a.Verb == Ask && !q.bounded() && !q.granted(Opaque()):
				return hitsIfAny
			}
			return passes
		},
		message: func(q *inquiry, a *Act) string {
			if q.ran && q.count.Structure {
				return onObject("drops, empties or alters a table, which its text does not say")(q, a)
			}
			return onObject("runs code that is not in the text")(q, a)
		},
		fix: func(q *inquiry, a *Act) string {
			if (a.Verb == Call && !q.ran) || (a.Verb == Ask && !q.count.Structure) {
				return allowFix("Give it a bound, dbguard.AtMost(ctx, n), or take the responsibility", Opaque())
			}
			return allowFix("Send the statements themselves, or take the responsibility", Opaque())
		},
	},
	{
		Rule: Rule{
			ID: TransactionControl, Name: "TransactionControl", Since: firstVersion, Default: Deny,
			Title: "COMMIT or its kin stands inside a longer text",
			Why:   "It ends the transaction in which the statement would have been counted and undone.",
			Bad:   `db.ExecContext(ctx, "INSERT INTO users (id) VALUES (10); COMMIT")`,
			Good:  `db.ExecContext(ctx, "INSERT INTO users (id) VALUES (10)")`,
			Fix:   "Use sql.Tx, or send BEGIN, the statements and COMMIT one by one on one sql.Conn.",
		},
		check:   ungranted(EndTransaction),
		message: onObject("ends a transaction from inside a longer text"),
		fix:     grantFix("Use sql.Tx, or take the responsibility"),
	},
}
