package sqlscan

// statement reads one statement up to its end: here those about rows.
func (p *parser) statement() {
	if p.is('(') {
		p.query()
		return
	}
	switch p.kw {
	case kwSelect, kwFrom:
		p.next()
		p.query()
	case kwValues, kwShow, kwHelp, kwExists, kwWatch, kwChecksum:
		p.query()
	case kwTable:
		p.next()
		p.name()
		p.query()
	case kwWith, kwInsert, kwUpdate, kwDelete, kwMerge:
		p.statementWith()
	case kwReplace:
		p.replace()
	case kwExplain, kwDescribe, kwDesc:
		p.explain()
	case kwAnalyze, kwAnalyse:
		p.analyze()
	case kwCopy:
		p.copy()
	case kwLoad:
		p.load()
	case kwExecute:
		p.execute()
	case kwCall:
		p.call()
	case kwDo:
		p.do()
	case kwDeclare:
		p.declare()
	default:
		p.definition()
	}
}

// definition reads DDL and the maintenance of tables and databases.
func (p *parser) definition() {
	switch p.kw {
	case kwCreate:
		p.create()
	case kwDrop:
		p.drop()
	case kwAlter:
		p.alter()
	case kwTruncate:
		p.truncate()
	case kwRename, kwExchange:
		p.rename()
	case kwUndrop:
		p.undrop()
	case kwAttach, kwDetach:
		p.attach()
	case kwVacuum:
		p.vacuum()
	case kwOptimize:
		p.optimize()
	case kwSystem:
		p.system()
	default:
		p.control()
	}
}

// control reads the statements about transactions and session settings.
func (p *parser) control() {
	switch p.kw {
	case kwSet:
		p.set()
	case kwPragma:
		p.pragma()
	case kwBegin:
		p.begin()
	case kwStart:
		p.start()
	case kwCommit, kwEnd:
		p.simple(Commit)
	case kwRollback, kwAbort:
		p.rollback()
	case kwSavepoint:
		at := p.tok
		p.next()
		p.savepointName(Savepoint, at)
	case kwRelease:
		p.release()
	case kwXa:
		p.xa()
	case kwPrepare:
		p.prepare()
	case kwIf, kwCase, kwLoop, kwWhile, kwRepeat, kwFor:
		p.compoundNow()
	default:
		p.otherKinds()
	}
}

// otherKinds reads the statements of which only the first keyword matters.
func (p *parser) otherKinds() {
	switch p.kw {
	case kwUse, kwDeallocate, kwFetch, kwClose, kwListen, kwUnlisten, kwNotify, kwLock, kwUnlock,
		kwKill, kwHandler, kwSignal, kwResignal, kwGet, kwDiscard, kwCheckpoint:
		p.simple(Session)
	case kwReset, kwMove:
		if p.s.dialect == PostgreSQL {
			p.simple(Session)
		} else { // RESET MASTER of MySQL, MOVE USER of ClickHouse
			p.simple(Maintain)
		}
	case kwGrant, kwRevoke, kwReindex, kwCluster, kwRepair, kwCheck, kwFlush, kwPurge, kwChange,
		kwStop, kwShutdown, kwInstall, kwUninstall, kwCache, kwRestart, kwReassign, kwBackup, kwRefresh:
		p.simple(Maintain)
	case kwComment, kwSecurity, kwImport:
		p.simple(Define)
	case kwBinlog, kwClone, kwRestore:
		p.simple(Opaque)
	default:
		p.fail("no statement that can be read")
	}
}

// simple reads a statement that is one operation without an object.
func (p *parser) simple(k Kind) {
	p.add(k, p.tok)
	p.next()
	p.rest()
}
