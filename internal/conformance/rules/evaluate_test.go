package rules

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// An example that the evaluator cannot read is an error, not a pass.
func TestExpressionsThatAreNotRead(t *testing.T) {
	cases := map[string]string{
		`db.ExecContext(ctx, `:                                           "1:21: expected ')', found 'EOF'",
		`ctx`:                                                            "at 1: not a call",
		`exec(ctx, "x")`:                                                 "at 1: not a method or a package's function",
		`other.ExecContext(ctx, "x")`:                                    "at 1: not a call of db",
		`db.QueryContext(ctx, "x")`:                                      "at 1: neither ExecContext(ctx, text) nor SetMaxOpenConns(n)",
		`db.ExecContext(ctx, "x", 1)`:                                    "at 1: neither ExecContext(ctx, text) nor SetMaxOpenConns(n)",
		`db.ExecContext(ctx, x)`:                                         "at 21: not a string literal",
		`db.ExecContext(nil, "x")`:                                       "at 16: not a call",
		`db.ExecContext(sql.AtMost(ctx, 1), "x")`:                        "at 16: not a call of dbguard",
		`db.ExecContext(dbguard.Most(ctx, 1), "x")`:                      "at 16: dbguard.Most derives no context, or not from these arguments",
		`db.ExecContext(dbguard.AtMost(ctx), "x")`:                       "at 16: dbguard.AtMost derives no context, or not from these arguments",
		`db.ExecContext(dbguard.AtMost(ctx, "1"), "x")`:                  "at 36: not an integer literal",
		`db.ExecContext(dbguard.Allow(ctx, "why"), "x")`:                 "at 16: dbguard.Allow derives no context, or not from these arguments",
		`db.ExecContext(dbguard.Allow(ctx, "why", dbguard.Drop()), "x")`: "at 42: dbguard.Drop is no grant, or not with these arguments",
		`db.ExecContext(dbguard.Allow(ctx, "why", dbguard.Opaque), "x")`: "at 42: not a call",
		`db.SetMaxOpenConns(n)`:                                          "at 20: not an integer literal",
	}
	for source, want := range cases {
		t.Run(source, func(t *testing.T) {
			_, err := evaluate(nil, source) // a nil db: nothing is run
			require.EqualError(t, err, want)
		})
	}
}
