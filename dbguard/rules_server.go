package dbguard

// serverRules are about the server and the connections to it.
var serverRules = []*rule{
	{
		Rule: Rule{
			ID: NotReady, Name: "NotReady", Since: firstVersion, Default: Deny,
			Title: "the server is not ready to be written through",
			Why:   "A node that had joined a cluster but not yet synchronised was up, and answered that full databases did not exist.",
			Bad:   `couch.New(dsn, g, couch.WithGate(closed))`,
			Good:  `couch.New(dsn, g, couch.WithGate(open))`,
			Fix:   "Send it to a node that is ready; Gate.Reasons says what is missing on this one.",
		},
		check:   func(_ *inquiry, a *Act) answer { return when(a.Verb == Unready) },
		message: onObject("goes to a server that is not ready"),
		fix:     fixed("Send it to a node that is ready, or wait until this one is"),
	},
	{
		Rule: Rule{
			ID: UnboundedPool, Name: "UnboundedPool", Since: firstVersion, Default: Warn,
			Title: "a connection pool has no limit",
			Why:   "Nodes that piled up connections were ended by their cluster software, one after the other.",
			Bad:   `db.SetMaxOpenConns(0)`,
			Good:  `db.SetMaxOpenConns(10)`,
			Fix:   "Limit the pool: db.SetMaxOpenConns(n).",
		},
		check:   func(_ *inquiry, a *Act) answer { return when(a.Verb == Pool) },
		message: onObject("has no limit on its connections"),
		fix:     fixed("Limit the pool: db.SetMaxOpenConns(n)"),
	},
}
