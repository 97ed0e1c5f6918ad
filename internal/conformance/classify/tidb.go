package classify

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/format"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver" // the values of literals
)

// parseTiDB makes a parser by TiDB's grammar of MySQL; ok is false where that rejects the
// text.
func parseTiDB() func(text string) (o effects, ok bool) {
	p := parser.New()
	return func(text string) (o effects, ok bool) {
		defer func() {
			if recover() != nil { // it panics on some texts that it should reject
				o, ok = effects{}, false
			}
		}()
		stmts, _, err := p.Parse(text, "", "")
		if err != nil {
			return o, false
		}
		for _, s := range stmts {
			o.mysql(s)
		}
		return o, true
	}
}

// mysql adds what one statement does.
func (o *effects) mysql(n ast.StmtNode) {
	switch s := n.(type) {
	case *ast.SelectStmt, *ast.SetOprStmt, *ast.ShowStmt, *ast.UseStmt, *ast.PrepareStmt, *ast.DeallocateStmt,
		*ast.ExplainForStmt, *ast.HelpStmt, *ast.SetRoleStmt, *ast.DoStmt,
		*ast.LockTablesStmt, *ast.UnlockTablesStmt, *ast.KillStmt:
	case *ast.SetStmt:
		o.set(s)
	case *ast.ExplainStmt:
		if s.Analyze && s.Stmt != nil {
			o.mysql(s.Stmt)
		}
	case *ast.InsertStmt:
		verb := "INSERT"
		switch {
		case s.IsReplace:
			verb = "REPLACE"
		case s.OnDuplicate != nil:
			verb = "UPSERT"
		}
		o.row(verb, firstTable(s.Table), false)
	case *ast.LoadDataStmt:
		verb := "INSERT"
		if s.OnDuplicate == ast.OnDuplicateKeyHandlingReplace {
			verb = "REPLACE"
		}
		o.row(verb, tableName(s.Table), false)
	case *ast.UpdateStmt:
		o.update(s)
	case *ast.DeleteStmt:
		o.delete(s)
	case *ast.TruncateTableStmt:
		o.row("TRUNCATE", tableName(s.Table), false)
	case *ast.AlterTableStmt:
		o.modifies = true
		for _, spec := range s.Specs {
			if spec.Tp == ast.AlterTableTruncatePartition {
				o.row("TRUNCATE", tableName(s.Table), false)
			}
		}
	case *ast.CreateTableStmt:
		o.modifies = true
		if s.Select != nil {
			o.row("INSERT", tableName(s.Table), false)
		}
	case *ast.BeginStmt:
		o.control = append(o.control, "BEGIN")
	case *ast.CommitStmt:
		o.control = append(o.control, "COMMIT")
	case *ast.RollbackStmt:
		o.control = append(o.control, strings.TrimSpace("ROLLBACK "+map[bool]string{true: "TO"}[s.SavepointName != ""]))
	case *ast.SavepointStmt:
		o.control = append(o.control, "SAVEPOINT")
	case *ast.ReleaseSavepointStmt:
		o.control = append(o.control, "RELEASE")
	default:
		o.modifies = true
	}
}

// set adds SET autocommit, which begins or ends a transaction. What else it sets, and
// whether that disables a protection, is no matter of grammar.
func (o *effects) set(s *ast.SetStmt) {
	for _, v := range s.Variables {
		if !strings.EqualFold(v.Name, "autocommit") || v.IsGlobal {
			continue
		}
		var value strings.Builder
		if err := v.Value.Restore(format.NewRestoreCtx(format.RestoreKeyWordLowercase, &value)); err != nil {
			continue
		}
		switch strings.Trim(strings.TrimPrefix(strings.ToLower(value.String()), "_utf8mb4"), "'`") {
		case "off", "0", "false":
			o.control = append(o.control, "BEGIN")
		default:
			o.control = append(o.control, "COMMIT")
		}
	}
}

func (o *effects) update(s *ast.UpdateStmt) {
	if s.TableRefs.TableRefs.Right == nil {
		o.row("UPDATE", firstTable(s.TableRefs), s.Where != nil)
		return
	}
	o.row("UPDATE", "*", s.Where != nil) // which tables, the columns decide
}

func (o *effects) delete(s *ast.DeleteStmt) {
	if !s.IsMultiTable {
		o.row("DELETE", firstTable(s.TableRefs), s.Where != nil)
		return
	}
	known := aliases(s.TableRefs)
	for _, t := range s.Tables.Tables {
		name := tableName(t)
		if full, ok := known[strings.ToLower(name)]; ok {
			name = full
		}
		o.row("DELETE", name, s.Where != nil)
	}
}

// aliases are the tables of a FROM list by the name that they go by there.
func aliases(refs *ast.TableRefsClause) map[string]string {
	known := map[string]string{}
	var walk func(ast.ResultSetNode)
	walk = func(n ast.ResultSetNode) {
		switch t := n.(type) {
		case *ast.Join:
			walk(t.Left)
			if t.Right != nil {
				walk(t.Right)
			}
		case *ast.TableSource:
			name, ok := t.Source.(*ast.TableName)
			if !ok {
				known[strings.ToLower(t.AsName.O)] = ""
				return
			}
			as := t.AsName.O
			if as == "" {
				as = name.Name.O
			}
			known[strings.ToLower(as)] = tableName(name)
		}
	}
	walk(refs.TableRefs)
	return known
}

func firstTable(refs *ast.TableRefsClause) string {
	for _, name := range aliases(refs) {
		return name
	}
	return ""
}

func tableName(t *ast.TableName) string {
	if t.Schema.O != "" {
		return t.Schema.O + "." + t.Name.O
	}
	return t.Name.O
}
