package dbguard

// structureRules are about databases and tables that are created, dropped or altered.
var structureRules = []*rule{
	{
		Rule: Rule{
			ID: ImplicitCreate, Name: "ImplicitCreate", Since: firstVersion, Default: Deny,
			Title: "a database comes into being without a grant that names it",
			Why:   "An application that could not find its database created it, empty; the empty one replicated over the full one.",
			Bad:   `db.ExecContext(ctx, "ATTACH DATABASE 'reports.db' AS reports")`,
			Good:  `db.ExecContext(dbguard.Allow(ctx, "first start of the report job", dbguard.CreateDatabase("reports.db")), "ATTACH DATABASE 'reports.db' AS reports")`,
			Fix:   "Check that this is the right server; to create it on purpose, name it in dbguard.CreateDatabase.",
		},
		check:   ungranted(Create),
		message: onObject("would create a database that nobody asked for"),
		fix:     grantFix("If it should exist, check that this is the right server; to create it on purpose"),
	},
	{
		Rule: Rule{
			ID: Drop, Name: "Drop", Since: firstVersion, Default: Deny,
			Title: "a table, database or other object is dropped without a grant",
			Why:   "A tool that was meant to clear one model dropped the whole database.",
			Bad:   `db.ExecContext(ctx, "DROP TABLE users")`,
			Good:  `db.ExecContext(dbguard.Allow(ctx, "replaced by accounts in release 12", dbguard.DropTable("users")), "DROP TABLE users")`,
			Fix:   "Name the object in dbguard.DropTable or dbguard.DropDatabase.",
		},
		check:   ungranted(Remove, RemoveDatabase),
		message: onObject("would lose it for good"),
		fix:     grantFix("To drop it on purpose"),
	},
	{
		Rule: Rule{
			ID: RuleTruncate, Name: "Truncate", Since: firstVersion, Default: Deny,
			Title: "a table is emptied by TRUNCATE without a grant",
			Why:   "TRUNCATE reports no rows, fires no row triggers, and on some servers cannot be rolled back.",
			Bad:   `db.ExecContext(ctx, "TRUNCATE TABLE sessions")`,
			Good:  `db.ExecContext(dbguard.Allow(ctx, "sessions are rebuilt on login", dbguard.Truncate("sessions")), "TRUNCATE TABLE sessions")`,
			Fix:   "Name the table in dbguard.Truncate, or use a bounded DELETE.",
		},
		check:   ungranted(Empty),
		message: onObject("would remove every row"),
		fix:     grantFix("Use a bounded DELETE, or"),
	},
	{
		Rule: Rule{
			ID: Alter, Name: "Alter", Since: firstVersion, Default: Deny,
			Title: "a column is retyped, removed or renamed, or a table moved, without a grant",
			Why:   "Column type changes made a cluster unstable; the snapshot restored afterwards had lost what came after it.",
			Bad:   `db.ExecContext(ctx, "ALTER TABLE users DROP COLUMN name")`,
			Good:  `db.ExecContext(dbguard.Allow(ctx, "name moved to profiles", dbguard.AlterTable("users")), "ALTER TABLE users DROP COLUMN name")`,
			Fix:   "Name the table in dbguard.AlterTable. Adding columns, indexes and constraints needs no grant.",
		},
		check:   ungranted(Reshape),
		message: onObject("would change what is stored, not only add to it"),
		fix:     grantFix("To alter it on purpose"),
	},
	{
		Rule: Rule{
			ID: GuardOff, Name: "GuardOff", Since: firstVersion, Default: Deny,
			Title: "the session turns a protection of the server off",
			Why:   "With foreign keys or triggers off, every later statement of the connection can leave orphans that no error tells of.",
			Bad:   `db.ExecContext(ctx, "PRAGMA foreign_keys = OFF")`,
			Good:  `db.ExecContext(dbguard.Allow(ctx, "bulk load, checked afterwards", dbguard.Opaque()), "PRAGMA foreign_keys = OFF")`,
			Fix:   "Leave it on, or take the responsibility with dbguard.Opaque.",
		},
		check:   ungranted(Unprotect),
		message: onObject("would turn a protection of the server off"),
		fix:     grantFix("Leave it on, or take the responsibility"),
	},
}
