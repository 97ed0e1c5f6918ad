package property

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A testcase is a random schema, statement, bound and delivery.
type testcase struct {
	Seed   uint64
	Engine target.Engine
	Setup  []string
	statement
	delivery

	Deferred bool // triggers fire at COMMIT, to judge failures by
}

// A delivery is how the statement is sent.
type delivery struct {
	Wrap      wrap
	Keep      bool // COMMIT, else ROLLBACK
	Savepoint bool // one of the caller's own, by text, before the statement
	Method    method
	Bound     bound
	Granted   bool // AllRows, where the statement means all
}

// wrap is what surrounds the statement.
type wrap string

const (
	autocommit wrap = "autocommit"
	inTx       wrap = "sql.Tx"
	byText     wrap = "BEGIN by text"
)

// method is the call of database/sql.
type method string

const (
	execPlain method = "Exec"
	execArgs  method = "Exec with arguments"
	queryAll  method = "Query"
	queryOne  method = "Query, closed early"
	prepared  method = "Prepare, Exec"
)

// bound is the caller's bound.
type bound struct {
	Kind string
	N    int
}

func (b bound) in(ctx context.Context) context.Context {
	switch b.Kind {
	case "Exactly":
		return dbguard.Exactly(ctx, int64(b.N))
	case "Budget":
		return dbguard.Budget(ctx, int64(b.N))
	}
	return dbguard.AtMost(ctx, int64(b.N))
}

// newCase makes the case of a seed.
func newCase(seed uint64, e target.Engine) *testcase {
	d := newRandom(seed)
	s := newSchema(d, e)
	c := &testcase{Seed: seed, Engine: e, statement: *s.statement(), delivery: newDelivery(d)}
	c.Setup, c.Deferred = s.script, s.deferred
	if c.Fixed && (c.Method == execArgs) {
		c.Method = execPlain
	}
	if c.Fixed && c.Method == prepared {
		c.Method = execPlain // go-sql-driver hangs on a prepared ANALYZE; an EXECUTE is not prepared
	}
	return c
}

func newDelivery(d random) delivery {
	p := delivery{Wrap: autocommit, Keep: d.percent(70), Savepoint: d.percent(20), Granted: d.percent(60)}
	switch chance := d.IntN(100); {
	case chance < 25:
		p.Wrap = inTx
	case chance < 40:
		p.Wrap = byText
	}
	p.Method = pick(d, []method{execPlain, execPlain, execArgs, queryAll, queryOne, prepared})
	p.Bound = bound{d.word("AtMost AtMost AtMost AtMost AtMost AtMost AtMost Budget Budget Exactly"), pick(d, []int{0, 1, 1, 1, 2, 2, 3, 5, 8, 20})}
	return p
}

// literal is the text with its numbers in it.
func literal(text string) string { return strings.ReplaceAll(text, "@", "") }

// withArgs is the text with placeholders, and its numbers.
func (c *testcase) withArgs() (text string, args []any) {
	parts := strings.Split(c.Text, "@")
	for i, part := range parts {
		if i%2 == 0 {
			text += part
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil {
			panic(fmt.Sprintf("%q in %q is no number", part, c.Text))
		}
		args = append(args, n)
		if c.Engine == target.Postgres {
			text += "$" + strconv.Itoa(len(args)) + "::int"
		} else {
			text += "?"
		}
	}
	return text, args
}

// context carries the caller's bound and grant.
func (c *testcase) context(ctx context.Context) context.Context {
	ctx = c.Bound.in(ctx)
	if c.All != "" && c.Granted {
		ctx = dbguard.Allow(ctx, "drawn", dbguard.AllRows(c.All))
	}
	return ctx
}

// mayRefuse reports that the text of the case gives the rule a reason.
func (c *testcase) mayRefuse(r dbguard.RuleID) bool {
	for _, may := range c.May {
		if may == r {
			return !c.Granted || c.All == "" || r != dbguard.Unfiltered && r != dbguard.AlwaysTrue
		}
	}
	return r == dbguard.UnderLimit && c.Bound.Kind == "Exactly"
}

// String is the case as a script.
func (c *testcase) String() string {
	var b strings.Builder
	for _, text := range c.Setup {
		fmt.Fprintf(&b, "%s;\n", text)
	}
	fmt.Fprintf(&b, "-- %s, %s, %s(ctx, %d)", c.Wrap, c.Method, c.Bound.Kind, c.Bound.N)
	if c.All != "" && c.Granted {
		fmt.Fprintf(&b, ", AllRows(%q)", c.All)
	}
	b.WriteString("\n")
	for _, text := range c.Before {
		fmt.Fprintf(&b, "%s;\n", text)
	}
	if c.Wrap != autocommit {
		fmt.Fprintf(&b, "BEGIN; %s;", inside)
		if c.Savepoint {
			b.WriteString(" SAVEPOINT mine;")
		}
		b.WriteString("\n")
	}
	text := literal(c.Text)
	if c.Method == execArgs {
		text, _ = c.withArgs()
		text += fmt.Sprintf(" -- %s", literal(c.Text))
	}
	fmt.Fprintf(&b, "%s;\n", text)
	if c.Wrap != autocommit {
		fmt.Fprintf(&b, "%s; -- keep: %t\n", after, c.Keep)
	}
	return b.String()
}
