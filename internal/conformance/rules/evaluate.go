package rules

import (
	"context"
	"database/sql"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"

	"github.com/dbguard/dbguard-go/dbguard"
)

// evaluate runs a Go expression that is a call on db: db.ExecContext(ctx, "…")
// or db.SetMaxOpenConns(n). It returns the call's error, or its own for an
// expression that it cannot read; unread tells which.
func evaluate(db *sql.DB, source string) (result, unread error) {
	expr, err := parser.ParseExpr(source)
	if err != nil {
		return nil, err
	}
	e := &evaluator{}
	name, args := e.call(expr, "db")
	switch {
	case e.err != nil:
	case name == "ExecContext" && len(args) == 2:
		ctx, text := e.context(args[0]), e.text(args[1])
		if e.err == nil {
			_, result = db.ExecContext(ctx, text)
		}
	case name == "SetMaxOpenConns" && len(args) == 1:
		if n := e.number(args[0]); e.err == nil {
			db.SetMaxOpenConns(int(n))
			result = db.Ping() // the pool is judged when it opens a connection
		}
	default:
		e.fail(expr, "neither ExecContext(ctx, text) nor SetMaxOpenConns(n)")
	}
	return result, e.err
}

// evaluator keeps the first error; after it, values are zero.
type evaluator struct{ err error }

func (e *evaluator) fail(n ast.Node, why string) {
	if e.err == nil {
		e.err = fmt.Errorf("at %d: %s", n.Pos(), why)
	}
}

// call reads on.name(args…).
func (e *evaluator) call(n ast.Expr, on string) (name string, args []ast.Expr) {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		e.fail(n, "not a call")
		return "", nil
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		e.fail(n, "not a method or a package's function")
		return "", nil
	}
	if x, ok := selector.X.(*ast.Ident); !ok || x.Name != on {
		e.fail(n, "not a call of "+on)
		return "", nil
	}
	return selector.Sel.Name, call.Args
}

var bounds = map[string]func(context.Context, int64) context.Context{
	"AtMost":  dbguard.AtMost,
	"Exactly": dbguard.Exactly,
	"Budget":  dbguard.Budget,
}

// context reads ctx, or a call that derives one.
func (e *evaluator) context(n ast.Expr) context.Context {
	if x, ok := n.(*ast.Ident); ok && x.Name == "ctx" {
		return context.Background()
	}
	name, args := e.call(n, "dbguard")
	bound, isBound := bounds[name]
	switch {
	case e.err != nil:
	case isBound && len(args) == 2:
		return bound(e.context(args[0]), e.number(args[1]))
	case name == "Allow" && len(args) > 2:
		var grants []dbguard.Grant
		for _, arg := range args[2:] {
			grants = append(grants, e.grant(arg))
		}
		return dbguard.Allow(e.context(args[0]), e.text(args[1]), grants...)
	default:
		e.fail(n, "dbguard."+name+" derives no context, or not from these arguments")
	}
	return context.Background()
}

var grants = map[string]func(string) dbguard.Grant{
	"CreateDatabase": dbguard.CreateDatabase,
	"DropDatabase":   dbguard.DropDatabase,
	"DropTable":      dbguard.DropTable,
	"Truncate":       dbguard.Truncate,
	"AlterTable":     dbguard.AlterTable,
	"AllRows":        dbguard.AllRows,
}

func (e *evaluator) grant(n ast.Expr) dbguard.Grant {
	name, args := e.call(n, "dbguard")
	named, isNamed := grants[name]
	switch {
	case e.err != nil:
	case isNamed && len(args) == 1:
		return named(e.text(args[0]))
	case name == "Opaque" && len(args) == 0:
		return dbguard.Opaque()
	default:
		e.fail(n, "dbguard."+name+" is no grant, or not with these arguments")
	}
	return dbguard.Grant{}
}

func (e *evaluator) text(n ast.Expr) string {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		e.fail(n, "not a string literal")
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		e.fail(n, err.Error())
	}
	return s
}

func (e *evaluator) number(n ast.Expr) int64 {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.INT {
		e.fail(n, "not an integer literal")
		return 0
	}
	v, err := strconv.ParseInt(lit.Value, 0, 64)
	if err != nil {
		e.fail(n, err.Error())
	}
	return v
}
