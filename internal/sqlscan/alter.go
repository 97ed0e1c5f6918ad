package sqlscan

// alter reads ALTER. One operation stands for all its actions, with the worst kind
// among them; turning a trigger off is an operation of its own.
func (p *parser) alter() {
	at := p.tok
	p.next()
	if p.kw == kwDefault || p.kw == kwSystem {
		p.add(Maintain, at)
		p.settings(at)
		return
	}
	class, flags, _ := p.object()
	if p.failed {
		return
	}
	flags |= p.ifExists()
	switch class {
	case kwTable:
		p.alterTable(at, flags)
		return
	case kwUser, kwRole, kwGroup, kwQuota, kwProfile, kwWorkload, kwResource, kwMapping:
		p.add(Maintain, at)
		p.settings(at)
		return
	}
	p.alterObject(class, at, flags)
}

// alterObject reads an ALTER of anything but a table or a role.
func (p *parser) alterObject(class keyword, at Token, flags Flags) {
	if class != kwDatabase && class != kwSchema {
		flags |= View
	}
	i := p.addOn(Define, at, Span{}, flags)
	if class == kwOperator || class == kwLarge || class == kwCast {
		p.alterOther(i)
		return
	}
	p.t.Ops[i].Object = p.optionalName()
	switch {
	case p.s.dialect == MySQL && (class == kwEvent || class == kwProcedure || class == kwFunction):
		body{op: i, header: true, start: true, loop: class == kwEvent}.read(p)
	case class == kwEvent && (p.kw == kwEnable || p.kw == kwDisable):
		p.alterEventTrigger(i, at)
	case class == kwTrigger || class == kwRule || class == kwPolicy:
		p.onTable(i, kwOn)
		p.alterOther(i)
	default:
		p.alterOther(i)
	}
}

// alterEventTrigger reads ENABLE and DISABLE of an event trigger, which may be there to refuse
// a DROP.
func (p *parser) alterEventTrigger(i int, at Token) {
	enabled := p.accept(kwEnable)
	if !enabled || p.kw == kwReplica {
		p.addOn(GuardOff, at, p.t.Ops[i].Object, View)
	}
	p.rest()
}

// alterOther reads the rest of an ALTER of anything but a table.
func (p *parser) alterOther(i int) {
	at := Token{Kind: Word, Pos: p.t.Ops[i].At.Start, End: p.t.Ops[i].At.End}
	for !p.failed {
		p.walk(sAction | sSet | sAs)
		switch p.kw {
		case kwAs: // ALTER VIEW v AS …
			p.next()
			p.rest()
			return
		case kwRename, kwType:
			p.t.Ops[i].Kind = Alter
		case kwDrop:
			if _, kw := p.peek(); kw != kwDefault && kw != kwNot {
				p.t.Ops[i].Kind = Alter
			}
		case kwSet:
			if _, kw := p.peek(); kw == kwSchema {
				p.t.Ops[i].Kind = Alter
			}
			p.setAssignments(at)
			continue
		default:
			if keywords[p.kw].sets&sAction == 0 {
				return
			}
		}
		p.next()
	}
}

// alterTable reads the actions of ALTER TABLE.
func (p *parser) alterTable(at Token, flags Flags) {
	if p.kw == kwAll && p.s.dialect == PostgreSQL { // ALL IN TABLESPACE a SET TABLESPACE b
		p.addOn(Define, at, Span{}, flags)
		p.rest()
		return
	}
	i := p.addOn(Define, at, p.target(), flags)
	if p.s.dialect == ClickHouse {
		p.onCluster()
		p.alterClickHouse(i, at)
		return
	}
	calls := p.t.Calls
	if p.accept(kwWait) { // MariaDB: a number, then the actions
		p.next()
	}
	p.accept(kwNowait)
	if flags&DoNothing != 0 { // ALTER IGNORE removes rows that a new key forbids
		p.worsen(i, Alter)
	}
	for !p.failed {
		p.worsen(i, p.action(i, at))
		p.tableOptions(i)
		p.toComma(0)
		if !p.is(',') {
			break
		}
		p.next()
	}
	if p.s.dialect != PostgreSQL { // only there a default or a USING may call anything
		p.t.Calls = calls
	}
}

// worsen raises the kind of operation i to this one if that loses more.
func (p *parser) worsen(i int, k Kind) {
	if worse(k, p.t.Ops[i].Kind) {
		p.t.Ops[i].Kind = k
	}
}

// tableOptions reads MySQL's table options, which may follow one another without a
// comma. The only one that matters and need not come first is ENGINE.
func (p *parser) tableOptions(i int) {
	if p.s.dialect != MySQL || p.t.Ops[i].Kind != Define || p.prevKw == kwAdd {
		return
	}
	for !p.failed && !p.atEnd() && !p.is(',') && !p.is(')') {
		if p.is('(') {
			p.paren()
			continue
		}
		if p.kw == kwEngine && !p.innodb() || p.kw == kwPartition || p.kw == kwRemove {
			p.worsen(i, Alter)
		}
		p.next()
	}
}

// innodb reports that the ENGINE here is InnoDB, which loses nothing: that is how a
// table is rebuilt.
func (p *parser) innodb() bool {
	ahead := p.s
	t := ahead.Scan()
	if t.Kind == Punct && t.Byte == '=' {
		t = ahead.Scan()
	}
	return lookup(ahead.src[t.Pos:t.End]) == kwInnodb
}

// worse orders the kinds of ALTER actions by what they lose.
func worse(a, b Kind) bool {
	rank := func(k Kind) int {
		switch k {
		case Define:
			return 0
		case Alter:
			return 1
		case Truncate:
			return 2
		}
		return 3 // Drop
	}
	return rank(a) > rank(b)
}

// action is the kind of the ALTER TABLE action that begins here. An unknown one is
// taken for an Alter.
func (p *parser) action(i int, at Token) Kind {
	kw := p.kw
	if kw == kwEngine && p.s.dialect == MySQL && p.innodb() {
		return Define
	}
	p.next()
	switch kw {
	case kwAdd, kwOwner, kwComment, kwValidate, kwAttach, kwInherit, kwNo, kwReplica, kwOf, kwNot,
		kwReset, kwOptions, kwCluster, kwLogged, kwForce, kwLock, kwAlgorithm, kwCollate, kwDefault,
		kwCharset, kwAnalyze, kwCheck, kwOptimize, kwRebuild, kwRepair, kwAutoIncrement, kwTablespace,
		kwRowFormat, kwStatsPersistent, kwWith, kwWithout, kwWait, kwNowait, kwKeyBlockSize, kwCharacter,
		kwChecksum, kwMaxRows, kwMinRows, kwPackKeys, kwDelayKeyWrite, kwAvgRowLength:
		p.partitionList(kw)
		return Define
	case kwEnable, kwDisable:
		p.enableOrDisable(kw, i, at)
		return Define
	case kwSet:
		if p.kw == kwSchema || p.kw == kwUnlogged {
			return Alter
		}
		return Define
	case kwAlter:
		if p.kw == kwConstraint || p.kw == kwCheck {
			p.alterConstraint(i, at)
			return Define
		}
		return p.alterColumn()
	}
	return p.partitionAction(kw)
}

// partitionAction is the rest of action: actions on partitions, and the empty one.
func (p *parser) partitionAction(kw keyword) Kind {
	switch kw {
	case kwDrop, kwDiscard:
		if p.kw == kwPartition || p.kw == kwTablespace {
			p.partitionList(kw)
			return Drop
		}
	case kwTruncate:
		p.partitionList(kw)
		return Truncate
	case kwOrder:
		p.rest()
		return Define
	case kwPartition, kwReorganize, kwExchange, kwCoalesce:
		p.rest()
	case 0:
		if p.prev.Kind == EOF || p.prev.Kind == Punct && p.prev.Byte == ';' {
			return Define
		}
	}
	return Alter
}

// partitionList reads the names after DROP PARTITION and the like, which are
// separated by commas as actions are.
func (p *parser) partitionList(kw keyword) {
	if p.kw == kwPartition && kw != kwAdd && kw != kwAttach {
		p.rest()
	}
}

// enableOrDisable reads ENABLE and DISABLE. A trigger or rule that does not fire in
// ordinary sessions protects nothing.
func (p *parser) enableOrDisable(kw keyword, i int, at Token) {
	if kw == kwEnable && p.kw != kwReplica {
		return
	}
	p.accept(kwReplica)
	if p.kw == kwTrigger || p.kw == kwRule {
		object := p.t.Ops[i].Object
		p.addOn(GuardOff, at, object, 0)
	}
}

// alterConstraint reads ALTER CONSTRAINT c …. One that is not enforced protects nothing, and a
// foreign key no longer cascades.
func (p *parser) alterConstraint(i int, at Token) {
	p.next()
	p.name()
	for !p.failed && !p.atEnd() && !p.is(',') {
		if p.prevKw == kwNot && p.kw == kwEnforced {
			p.addOn(GuardOff, at, p.t.Ops[i].Object, 0)
		}
		p.next()
	}
}

// alterColumn reads ALTER [COLUMN] c …: a new type or expression loses something, and so
// does SELECT * if the column becomes invisible.
func (p *parser) alterColumn() Kind {
	if p.kw == kwIndex || p.kw == kwKey {
		return Define
	}
	if p.kw == kwColumn || p.kw == kwAttribute {
		p.next()
	}
	p.ifExists()
	p.kw = 0 // the column's name, which may be any word
	p.next()
	if p.kw == kwSet {
		p.next()
		if p.kw == kwData || p.kw == kwExpression || equalFold(p.s.Text(p.tok), "invisible") {
			return Alter
		}
	}
	if p.kw == kwType {
		return Alter
	}
	return Define
}
