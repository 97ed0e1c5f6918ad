package classify

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// parsePostgres is what PostgreSQL's own grammar makes of a text; ok is false where it
// rejects the text.
func parsePostgres(text string) (o effects, ok bool) {
	tree, err := pg.Parse(text)
	if err != nil {
		return o, false
	}
	for _, s := range tree.Stmts {
		o.statement(s.Stmt)
	}
	return o, true
}

// statement adds what one statement does.
func (o *effects) statement(n *pg.Node) {
	switch s := n.Node.(type) {
	case *pg.Node_SelectStmt:
		o.selectInto(s.SelectStmt)
		o.query(n.ProtoReflect())
	case *pg.Node_InsertStmt, *pg.Node_UpdateStmt, *pg.Node_DeleteStmt, *pg.Node_MergeStmt:
		o.query(n.ProtoReflect())
	case *pg.Node_CreateTableAsStmt:
		o.createAs(s.CreateTableAsStmt)
	case *pg.Node_TruncateStmt:
		for _, r := range s.TruncateStmt.Relations {
			o.row("TRUNCATE", rangeVar(r.GetRangeVar()), false)
		}
	case *pg.Node_CopyStmt:
		o.copy(s.CopyStmt)
	case *pg.Node_ExplainStmt:
		if analyzes(s.ExplainStmt.Options) {
			o.statement(s.ExplainStmt.Query)
		}
	case *pg.Node_TransactionStmt:
		o.transaction(s.TransactionStmt)
	case *pg.Node_DeclareCursorStmt:
		o.query(s.DeclareCursorStmt.Query.ProtoReflect())
	case *pg.Node_PrepareStmt, *pg.Node_DeallocateStmt, *pg.Node_VariableSetStmt, *pg.Node_VariableShowStmt,
		*pg.Node_ListenStmt, *pg.Node_UnlistenStmt, *pg.Node_NotifyStmt, *pg.Node_FetchStmt, *pg.Node_ClosePortalStmt,
		*pg.Node_ConstraintsSetStmt, *pg.Node_LockStmt, *pg.Node_DiscardStmt, *pg.Node_CheckPointStmt, *pg.Node_LoadStmt:
	default:
		o.modifies = true
	}
}

// selectInto adds SELECT … INTO, which only the first query of a whole
// statement may have; elsewhere the server rejects it after parsing.
func (o *effects) selectInto(s *pg.SelectStmt) {
	for s.Larg != nil {
		s = s.Larg
	}
	if s.IntoClause != nil {
		o.row("INSERT", rangeVar(s.IntoClause.Rel), false)
	}
}

// query finds the modifying statements anywhere in a query.
func (o *effects) query(m protoreflect.Message) {
	switch s := m.Interface().(type) {
	case *pg.SelectStmt:
		if s.IntoClause != nil {
			o.rejected = append(o.rejected, "INSERT "+rangeVar(s.IntoClause.Rel))
		}
	case *pg.InsertStmt:
		verb := "INSERT"
		if s.OnConflictClause.GetAction() == pg.OnConflictAction_ONCONFLICT_UPDATE {
			verb = "UPSERT"
		}
		o.row(verb, rangeVar(s.Relation), false)
	case *pg.UpdateStmt:
		o.row("UPDATE", rangeVar(s.Relation), s.WhereClause != nil)
	case *pg.DeleteStmt:
		o.row("DELETE", rangeVar(s.Relation), s.WhereClause != nil)
	case *pg.MergeStmt:
		o.merge(s)
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() != protoreflect.MessageKind:
		case f.IsList():
			for i := range v.List().Len() {
				o.query(v.List().Get(i).Message())
			}
		default:
			o.query(v.Message())
		}
		return true
	})
}

// merge is a MERGE that changes or removes rows, or else an INSERT at most.
func (o *effects) merge(s *pg.MergeStmt) {
	verb := "INSERT"
	for _, w := range s.MergeWhenClauses {
		switch w.GetMergeWhenClause().GetCommandType() {
		case pg.CmdType_CMD_UPDATE, pg.CmdType_CMD_DELETE:
			verb = "MERGE"
		}
	}
	o.row(verb, rangeVar(s.Relation), false)
}

func (o *effects) createAs(s *pg.CreateTableAsStmt) {
	o.modifies = true
	if s.Objtype == pg.ObjectType_OBJECT_TABLE {
		o.row("INSERT", rangeVar(s.Into.Rel), false)
	}
	o.query(s.Query.ProtoReflect())
}

func (o *effects) copy(s *pg.CopyStmt) {
	switch {
	case s.IsFrom:
		o.row("INSERT", rangeVar(s.Relation), false)
	case s.Query != nil:
		o.query(s.Query.ProtoReflect())
	}
	if s.IsProgram {
		o.modifies = true
	}
}

// analyzes reports that EXPLAIN runs its statement: the last ANALYZE counts.
func analyzes(options []*pg.Node) bool {
	on := false
	for _, n := range options {
		d := n.GetDefElem()
		if d.GetDefname() != "analyze" {
			continue
		}
		on = true
		if d.Arg != nil {
			switch strings.ToLower(d.Arg.GetString_().GetSval()) {
			case "false", "off", "0":
				on = false
			}
			if i := d.Arg.GetInteger(); i != nil && i.Ival == 0 {
				on = false
			}
			if b := d.Arg.GetBoolean(); b != nil {
				on = b.Boolval
			}
		}
	}
	return on
}

func (o *effects) transaction(s *pg.TransactionStmt) {
	switch s.Kind {
	case pg.TransactionStmtKind_TRANS_STMT_BEGIN, pg.TransactionStmtKind_TRANS_STMT_START:
		o.control = append(o.control, "BEGIN")
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT, pg.TransactionStmtKind_TRANS_STMT_PREPARE, pg.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:
		o.control = append(o.control, "COMMIT")
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK, pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
		o.control = append(o.control, "ROLLBACK")
	case pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		o.control = append(o.control, "SAVEPOINT")
	case pg.TransactionStmtKind_TRANS_STMT_RELEASE:
		o.control = append(o.control, "RELEASE")
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		o.control = append(o.control, "ROLLBACK TO")
	}
}

func rangeVar(r *pg.RangeVar) string {
	if r == nil {
		return ""
	}
	name := r.Relname
	if r.Schemaname != "" {
		name = r.Schemaname + "." + name
	}
	if r.Catalogname != "" {
		name = r.Catalogname + "." + name
	}
	return name
}
