package sqlscan

import "strings"

// maxTemporaries bounds the tables that markTemporary tracks; others are taken for
// permanent ones.
const maxTemporaries = 32

// markTemporary marks operations on tables that an earlier statement of the text
// created as temporary. A name means that table only while nothing but row and
// structure changes come in between.
func (p *parser) markTemporary() {
	if !p.hasTemporary || p.s.dialect == PostgreSQL && mayChangeSearchPath(p.s.src) {
		return
	}
	ops := p.t.Ops
	for i, n := 0, 0; i < len(ops) && n < maxTemporaries; i++ {
		if ops[i].Flags&Temporary == 0 || ops[i].Flags&View != 0 || ops[i].Kind != Define && ops[i].Kind != Insert {
			continue
		}
		n++
		for j := i + 1; j < len(ops) && ops[j].Stmt >= ops[i].Stmt; j++ {
			op := &ops[j]
			if op.Stmt == ops[i].Stmt {
				continue
			}
			if !keepsTemporaries(op.Kind) {
				break
			}
			if p.sameTemporary(ops[i].Object, op.Object) {
				op.Flags |= Temporary
			}
			if p.mayDropOrRename(ops[i].Object, op) || p.mayAddTrigger(ops[i].Object, op) {
				break
			}
		}
	}
}

// mayChangeSearchPath reports that a name may mean another table than the temporary
// one.
func mayChangeSearchPath(text string) bool {
	text = lower(text)
	return strings.Contains(text, "search_path") || strings.Contains(text, "set_config") || strings.Contains(text, `u&"`) // which may be either
}

// keepsTemporaries reports that after an operation of this kind names still mean the
// same tables.
func keepsTemporaries(k Kind) bool {
	switch k {
	case Insert, Upsert, Replace, Update, Delete, Merge, Truncate, Define, Drop, Alter, Begin, Savepoint, Release:
		return true
	}
	return false
}

// sameTemporary reports that b certainly names the temporary table a.
func (p *parser) sameTemporary(a, b Span) bool {
	switch {
	case b == (Span{}):
		return false
	case p.t.Source[a.Start:a.End] == p.t.Source[b.Start:b.End]:
		return true
	case b != p.lastPart(b), p.s.dialect == MySQL && a != p.lastPart(a): // perhaps of another schema
		return false
	}
	was, is := p.t.Name(p.lastPart(a)), p.t.Name(b)
	return was == is || p.s.dialect == SQLite && lower(was) == lower(is)
}

// mayDropOrRename reports that the operation may drop or rename the temporary table
// a: under any spelling of its name, or by CASCADE.
func (p *parser) mayDropOrRename(a Span, op *Op) bool {
	if op.Kind != Drop && op.Kind != Alter {
		return false
	}
	return op.Flags&Cascade != 0 || p.sameName(p.lastPart(a), p.lastPart(op.Object))
}

// mayAddTrigger reports a trigger or a rule on the temporary table a: changes of its
// rows may then change other tables.
func (p *parser) mayAddTrigger(a Span, op *Op) bool {
	if op.Kind != Define || op.Flags&View == 0 || !p.sameName(p.lastPart(a), p.lastPart(op.Object)) {
		return false
	}
	var s Scanner
	s.Init(p.s.src[op.At.End:op.Object.Start], p.s.dialect, p.s.mode)
	for t := s.Scan(); t.Kind != EOF; t = s.Scan() {
		switch lookup(s.Text(t)) {
		case kwTrigger, kwRule:
			return true
		case kwIndex, kwView, kwFunction, kwPolicy:
			return false
		}
	}
	return false
}

// markUndone marks the operations of a text that begins a transaction and rolls it
// back, with nothing in between that could end it otherwise.
func (p *parser) markUndone() {
	ops := p.t.Ops
	if p.s.dialect == ClickHouse || ops[0].Kind != Begin || ops[0].Stmt != 0 || p.isWord(ops[0], "xa") || p.isWord(ops[0], "set") {
		return
	}
	for i := 1; i < len(ops); i++ {
		switch k := ops[i].Kind; {
		case k == Rollback && ops[i].Path == Top && ops[i].Object == (Span{}):
			for j := 1; j < i; j++ {
				ops[j].Flags |= UndoneByText
			}
			return
		case !p.undoable(ops[i]):
			return
		}
	}
}

// isWord reports that this is the operation's keyword.
func (p *parser) isWord(op Op, word string) bool {
	return equalFold(p.t.Source[op.At.Start:op.At.End], word)
}

// undoable reports that a rollback undoes the operation, which does not end the
// transaction itself.
func (p *parser) undoable(op Op) bool {
	switch op.Kind {
	case Insert: // CREATE TABLE AS commits in MySQL
		return p.s.dialect != MySQL || !p.isWord(op, "create")
	case Upsert, Replace, Update, Delete, Merge:
		return true
	case Truncate, Define, Drop, Alter:
		return p.s.dialect == PostgreSQL || p.s.dialect == SQLite
	}
	return false
}
