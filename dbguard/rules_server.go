package dbguard

// serverRules are about the server and the way to it.
var serverRules = []*rule{
	{
		Rule: Rule{
			ID: UnboundedPool, Name: "UnboundedPool", Since: firstVersion, Default: Warn,
			Title: "a connection pool has no limit",
			Why:   "Nodes that piled up connections were ended by their cluster software, one after the other.",
			Bad:   `db.SetMaxOpenConns(0)`,
			Good:  `db.SetMaxOpenConns(10)`,
			Fix:   "Limit the pool: db.SetMaxOpenConns(n).",
		},
		check: func(_ *inquiry, a *Act) answer { return when(a.Verb == Pool) },
		say:   onObject("has no limit on its connections"),
		fix:   fixed("Limit the pool: db.SetMaxOpenConns(n)"),
	},
}
