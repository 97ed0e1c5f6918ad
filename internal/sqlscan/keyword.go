package sqlscan

// keyword is a word that some dialect gives a meaning. Whether it has one where
// it stands is for the parser to say.
type keyword uint16

// set is a set of keywords.
type set uint64

// The sets. Those with one member are where a walk may stop.
const (
	sWhere set = 1 << iota
	sOrder
	sLimit
	sReturning
	sSet
	sFrom
	sAs
	sOn
	sUsing
	sInto
	sValues
	sThen
	sTo
	sAnd
	sFor
	sDo
	sBegin
	sCascade
	sDeduplicate
	sEngine // what says where a new table keeps its rows
	sFormat
	sSettings
	sParallel
	sSelect
	sDML       // a statement that changes rows
	sQuery     // a query
	sModify    // may begin a statement that modifies, inside parentheses
	sAction    // what an ALTER of anything but a table does
	sWalk      // changes how an expression is read
	sReserved  // no name without quotes
	sClause    // no alias without AS or quotes
	sOperator  // may follow a column that is named like a statement
	sObject    // the class of an object
	sStatement // may stand behind EXPLAIN
	sNoCall    // no function, though a parenthesis follows
)

const (
	noKeyword keyword = iota
	kwAbort
	kwAdd
	kwAfter
	kwAggregate
	kwAlgorithm
	kwAll
	kwAlter
	kwAnalyse
	kwAnalyze
	kwAnd
	kwAny
	kwApply
	kwAria
	kwArray
	kwAs
	kwAsc
	kwAst
	kwAt
	kwAtomic
	kwAttach
	kwAttribute
	kwAuthorization
	kwAutoIncrement
	kwAvgRowLength
	kwBackup
	kwBefore
	kwBegin
	kwBetween
	kwBinary
	kwBinlog
	kwBy
	kwCache
	kwCall
	kwCascade
	kwCase
	kwCast
	kwChange
	kwCharacter
	kwCharset
	kwCheck
	kwCheckpoint
	kwChecksum
	kwClear
	kwClone
	kwClose
	kwCluster
	kwCoalesce
	kwCollate
	kwCollation
	kwCollection
	kwColumn
	kwComment
	kwCommit
	kwConcurrently
	kwConfiguration
	kwConflict
	kwConnection
	kwConstraint
	kwConstraints
	kwConversion
	kwCopy
	kwCreate
	kwCross
	kwCube
	kwCurrent
	kwCycle
	kwData
	kwDatabase
	kwDeallocate
	kwDeclare
	kwDeduplicate
	kwDefault
	kwDefiner
	kwDelayKeyWrite
	kwDelayed
	kwDelete
	kwDesc
	kwDescribe
	kwDetach
	kwDetached
	kwDictionaries
	kwDictionary
	kwDisable
	kwDiscard
	kwDisk
	kwDistinct
	kwDiv
	kwDo
	kwDomain
	kwDrop
	kwDumpfile
	kwDuplicate
	kwEach
	kwElse
	kwEmpty
	kwEnable
	kwEnd
	kwEngine
	kwEscape
	kwEstimate
	kwEvent
	kwExcept
	kwExchange
	kwExecute
	kwExists
	kwExplain
	kwExpression
	kwExtended
	kwExtension
	kwFetch
	kwFilter
	kwFinal
	kwFlush
	kwFor
	kwForce
	kwFormat
	kwFreeze
	kwFrom
	kwFull
	kwFunction
	kwGet
	kwGlob
	kwGlobal
	kwGrant
	kwGroup
	kwGrouping
	kwHandler
	kwHaving
	kwHeap
	kwHelp
	kwHighPriority
	kwHistory
	kwIf
	kwIgnore
	kwIlike
	kwImmediate
	kwImport
	kwIn
	kwIndex
	kwIndexed
	kwInfile
	kwInherit
	kwInner
	kwInnodb
	kwInsert
	kwInstall
	kwIntersect
	kwInterval
	kwInto
	kwIs
	kwIsnull
	kwJoin
	kwKey
	kwKeyBlockSize
	kwKill
	kwLanguage
	kwLarge
	kwLateral
	kwLeft
	kwLibrary
	kwLike
	kwLimit
	kwListen
	kwLoad
	kwLocal
	kwLock
	kwLogfile
	kwLogged
	kwLoop
	kwLowPriority
	kwMapping
	kwMatch
	kwMaterialize
	kwMaterialized
	kwMaxRows
	kwMemory
	kwMerge
	kwMethod
	kwMinRows
	kwMod
	kwModify
	kwMove
	kwMyisam
	kwNames
	kwNatural
	kwNo
	kwNoWriteToBinlog
	kwNot
	kwNothing
	kwNotify
	kwNotnull
	kwNowait
	kwNulls
	kwOf
	kwOffset
	kwOn
	kwOnly
	kwOperator
	kwOptimize
	kwOptions
	kwOr
	kwOrder
	kwOutfile
	kwOver
	kwOverriding
	kwOwned
	kwOwner
	kwPackKeys
	kwPackage
	kwParallel
	kwParser
	kwPart
	kwPartition
	kwPartitions
	kwPassword
	kwPersist
	kwPersistOnly
	kwPipeline
	kwPlan
	kwPolicy
	kwPragma
	kwPrepare
	kwPrepared
	kwPrimary
	kwProcedure
	kwProfile
	kwProgram
	kwProjection
	kwPublication
	kwPurge
	kwQuery
	kwQuick
	kwQuota
	kwReassign
	kwRebuild
	kwRecursive
	kwReferences
	kwRefresh
	kwRegexp
	kwReindex
	kwRelease
	kwRemove
	kwRename
	kwReorganize
	kwRepair
	kwRepeat
	kwReplace
	kwReplica
	kwReset
	kwResignal
	kwResource
	kwRestart
	kwRestore
	kwReturn
	kwReturning
	kwReturns
	kwRevoke
	kwRight
	kwRlike
	kwRole
	kwRollback
	kwRollup
	kwRoutine
	kwRow
	kwRowFormat
	kwRule
	kwSavepoint
	kwSchedule
	kwSchema
	kwSearch
	kwSecurity
	kwSelect
	kwSequence
	kwServer
	kwSession
	kwSet
	kwSets
	kwSetting
	kwSettings
	kwShow
	kwShutdown
	kwSignal
	kwSimilar
	kwSome
	kwSql
	kwStart
	kwStatement
	kwStatistics
	kwStatsPersistent
	kwStop
	kwStraightJoin
	kwSubscription
	kwSyntax
	kwSystem
	kwTable
	kwTables
	kwTablespace
	kwTemp
	kwTemplate
	kwTemporary
	kwThen
	kwTo
	kwTransaction
	kwTransform
	kwTree
	kwTrigger
	kwTruncate
	kwTtl
	kwType
	kwUescape
	kwUndrop
	kwUnfreeze
	kwUninstall
	kwUnion
	kwUnique
	kwUnlisten
	kwUnlock
	kwUnlogged
	kwUpdate
	kwUse
	kwUser
	kwUsing
	kwVacuum
	kwValidate
	kwValue
	kwValues
	kwVerbose
	kwView
	kwVolume
	kwWait
	kwWatch
	kwWhen
	kwWhere
	kwWhile
	kwWindow
	kwWith
	kwWithin
	kwWithout
	kwWork
	kwWorkload
	kwWrapper
	kwXa
	kwXml
	kwXor
	keywordCount
)

var keywordNames = [keywordCount]string{
	kwAbort:           "abort",
	kwAdd:             "add",
	kwAfter:           "after",
	kwAggregate:       "aggregate",
	kwAlgorithm:       "algorithm",
	kwAll:             "all",
	kwAlter:           "alter",
	kwAnalyse:         "analyse",
	kwAnalyze:         "analyze",
	kwAnd:             "and",
	kwAny:             "any",
	kwApply:           "apply",
	kwAria:            "aria",
	kwArray:           "array",
	kwAs:              "as",
	kwAsc:             "asc",
	kwAst:             "ast",
	kwAt:              "at",
	kwAtomic:          "atomic",
	kwAttach:          "attach",
	kwAttribute:       "attribute",
	kwAuthorization:   "authorization",
	kwAutoIncrement:   "auto_increment",
	kwAvgRowLength:    "avg_row_length",
	kwBackup:          "backup",
	kwBefore:          "before",
	kwBegin:           "begin",
	kwBetween:         "between",
	kwBinary:          "binary",
	kwBinlog:          "binlog",
	kwBy:              "by",
	kwCache:           "cache",
	kwCall:            "call",
	kwCascade:         "cascade",
	kwCase:            "case",
	kwCast:            "cast",
	kwChange:          "change",
	kwCharacter:       "character",
	kwCharset:         "charset",
	kwCheck:           "check",
	kwCheckpoint:      "checkpoint",
	kwChecksum:        "checksum",
	kwClear:           "clear",
	kwClone:           "clone",
	kwClose:           "close",
	kwCluster:         "cluster",
	kwCoalesce:        "coalesce",
	kwCollate:         "collate",
	kwCollation:       "collation",
	kwCollection:      "collection",
	kwColumn:          "column",
	kwComment:         "comment",
	kwCommit:          "commit",
	kwConcurrently:    "concurrently",
	kwConfiguration:   "configuration",
	kwConflict:        "conflict",
	kwConnection:      "connection",
	kwConstraint:      "constraint",
	kwConstraints:     "constraints",
	kwConversion:      "conversion",
	kwCopy:            "copy",
	kwCreate:          "create",
	kwCross:           "cross",
	kwCube:            "cube",
	kwCurrent:         "current",
	kwCycle:           "cycle",
	kwData:            "data",
	kwDatabase:        "database",
	kwDeallocate:      "deallocate",
	kwDeclare:         "declare",
	kwDeduplicate:     "deduplicate",
	kwDefault:         "default",
	kwDefiner:         "definer",
	kwDelayKeyWrite:   "delay_key_write",
	kwDelayed:         "delayed",
	kwDelete:          "delete",
	kwDesc:            "desc",
	kwDescribe:        "describe",
	kwDetach:          "detach",
	kwDetached:        "detached",
	kwDictionaries:    "dictionaries",
	kwDictionary:      "dictionary",
	kwDisable:         "disable",
	kwDiscard:         "discard",
	kwDisk:            "disk",
	kwDistinct:        "distinct",
	kwDiv:             "div",
	kwDo:              "do",
	kwDomain:          "domain",
	kwDrop:            "drop",
	kwDumpfile:        "dumpfile",
	kwDuplicate:       "duplicate",
	kwEach:            "each",
	kwElse:            "else",
	kwEmpty:           "empty",
	kwEnable:          "enable",
	kwEnd:             "end",
	kwEngine:          "engine",
	kwEscape:          "escape",
	kwEstimate:        "estimate",
	kwEvent:           "event",
	kwExcept:          "except",
	kwExchange:        "exchange",
	kwExecute:         "execute",
	kwExists:          "exists",
	kwExplain:         "explain",
	kwExpression:      "expression",
	kwExtended:        "extended",
	kwExtension:       "extension",
	kwFetch:           "fetch",
	kwFilter:          "filter",
	kwFinal:           "final",
	kwFlush:           "flush",
	kwFor:             "for",
	kwForce:           "force",
	kwFormat:          "format",
	kwFreeze:          "freeze",
	kwFrom:            "from",
	kwFull:            "full",
	kwFunction:        "function",
	kwGet:             "get",
	kwGlob:            "glob",
	kwGlobal:          "global",
	kwGrant:           "grant",
	kwGroup:           "group",
	kwGrouping:        "grouping",
	kwHandler:         "handler",
	kwHaving:          "having",
	kwHeap:            "heap",
	kwHelp:            "help",
	kwHighPriority:    "high_priority",
	kwHistory:         "history",
	kwIf:              "if",
	kwIgnore:          "ignore",
	kwIlike:           "ilike",
	kwImmediate:       "immediate",
	kwImport:          "import",
	kwIn:              "in",
	kwIndex:           "index",
	kwIndexed:         "indexed",
	kwInfile:          "infile",
	kwInherit:         "inherit",
	kwInner:           "inner",
	kwInnodb:          "innodb",
	kwInsert:          "insert",
	kwInstall:         "install",
	kwIntersect:       "intersect",
	kwInterval:        "interval",
	kwInto:            "into",
	kwIs:              "is",
	kwIsnull:          "isnull",
	kwJoin:            "join",
	kwKey:             "key",
	kwKeyBlockSize:    "key_block_size",
	kwKill:            "kill",
	kwLanguage:        "language",
	kwLarge:           "large",
	kwLateral:         "lateral",
	kwLeft:            "left",
	kwLibrary:         "library",
	kwLike:            "like",
	kwLimit:           "limit",
	kwListen:          "listen",
	kwLoad:            "load",
	kwLocal:           "local",
	kwLock:            "lock",
	kwLogfile:         "logfile",
	kwLogged:          "logged",
	kwLoop:            "loop",
	kwLowPriority:     "low_priority",
	kwMapping:         "mapping",
	kwMatch:           "match",
	kwMaterialize:     "materialize",
	kwMaterialized:    "materialized",
	kwMaxRows:         "max_rows",
	kwMemory:          "memory",
	kwMerge:           "merge",
	kwMethod:          "method",
	kwMinRows:         "min_rows",
	kwMod:             "mod",
	kwModify:          "modify",
	kwMove:            "move",
	kwMyisam:          "myisam",
	kwNames:           "names",
	kwNatural:         "natural",
	kwNo:              "no",
	kwNoWriteToBinlog: "no_write_to_binlog",
	kwNot:             "not",
	kwNothing:         "nothing",
	kwNotify:          "notify",
	kwNotnull:         "notnull",
	kwNowait:          "nowait",
	kwNulls:           "nulls",
	kwOf:              "of",
	kwOffset:          "offset",
	kwOn:              "on",
	kwOnly:            "only",
	kwOperator:        "operator",
	kwOptimize:        "optimize",
	kwOptions:         "options",
	kwOr:              "or",
	kwOrder:           "order",
	kwOutfile:         "outfile",
	kwOver:            "over",
	kwOverriding:      "overriding",
	kwOwned:           "owned",
	kwOwner:           "owner",
	kwPackKeys:        "pack_keys",
	kwPackage:         "package",
	kwParallel:        "parallel",
	kwParser:          "parser",
	kwPart:            "part",
	kwPartition:       "partition",
	kwPartitions:      "partitions",
	kwPassword:        "password",
	kwPersist:         "persist",
	kwPersistOnly:     "persist_only",
	kwPipeline:        "pipeline",
	kwPlan:            "plan",
	kwPolicy:          "policy",
	kwPragma:          "pragma",
	kwPrepare:         "prepare",
	kwPrepared:        "prepared",
	kwPrimary:         "primary",
	kwProcedure:       "procedure",
	kwProfile:         "profile",
	kwProgram:         "program",
	kwProjection:      "projection",
	kwPublication:     "publication",
	kwPurge:           "purge",
	kwQuery:           "query",
	kwQuick:           "quick",
	kwQuota:           "quota",
	kwReassign:        "reassign",
	kwRebuild:         "rebuild",
	kwRecursive:       "recursive",
	kwReferences:      "references",
	kwRefresh:         "refresh",
	kwRegexp:          "regexp",
	kwReindex:         "reindex",
	kwRelease:         "release",
	kwRemove:          "remove",
	kwRename:          "rename",
	kwReorganize:      "reorganize",
	kwRepair:          "repair",
	kwRepeat:          "repeat",
	kwReplace:         "replace",
	kwReplica:         "replica",
	kwReset:           "reset",
	kwResignal:        "resignal",
	kwResource:        "resource",
	kwRestart:         "restart",
	kwRestore:         "restore",
	kwReturn:          "return",
	kwReturning:       "returning",
	kwReturns:         "returns",
	kwRevoke:          "revoke",
	kwRight:           "right",
	kwRlike:           "rlike",
	kwRole:            "role",
	kwRollback:        "rollback",
	kwRollup:          "rollup",
	kwRoutine:         "routine",
	kwRow:             "row",
	kwRowFormat:       "row_format",
	kwRule:            "rule",
	kwSavepoint:       "savepoint",
	kwSchedule:        "schedule",
	kwSchema:          "schema",
	kwSearch:          "search",
	kwSecurity:        "security",
	kwSelect:          "select",
	kwSequence:        "sequence",
	kwServer:          "server",
	kwSession:         "session",
	kwSet:             "set",
	kwSets:            "sets",
	kwSetting:         "setting",
	kwSettings:        "settings",
	kwShow:            "show",
	kwShutdown:        "shutdown",
	kwSignal:          "signal",
	kwSimilar:         "similar",
	kwSome:            "some",
	kwSql:             "sql",
	kwStart:           "start",
	kwStatement:       "statement",
	kwStatistics:      "statistics",
	kwStatsPersistent: "stats_persistent",
	kwStop:            "stop",
	kwStraightJoin:    "straight_join",
	kwSubscription:    "subscription",
	kwSyntax:          "syntax",
	kwSystem:          "system",
	kwTable:           "table",
	kwTables:          "tables",
	kwTablespace:      "tablespace",
	kwTemp:            "temp",
	kwTemplate:        "template",
	kwTemporary:       "temporary",
	kwThen:            "then",
	kwTo:              "to",
	kwTransaction:     "transaction",
	kwTransform:       "transform",
	kwTree:            "tree",
	kwTrigger:         "trigger",
	kwTruncate:        "truncate",
	kwTtl:             "ttl",
	kwType:            "type",
	kwUescape:         "uescape",
	kwUndrop:          "undrop",
	kwUnfreeze:        "unfreeze",
	kwUninstall:       "uninstall",
	kwUnion:           "union",
	kwUnique:          "unique",
	kwUnlisten:        "unlisten",
	kwUnlock:          "unlock",
	kwUnlogged:        "unlogged",
	kwUpdate:          "update",
	kwUse:             "use",
	kwUser:            "user",
	kwUsing:           "using",
	kwVacuum:          "vacuum",
	kwValidate:        "validate",
	kwValue:           "value",
	kwValues:          "values",
	kwVerbose:         "verbose",
	kwView:            "view",
	kwVolume:          "volume",
	kwWait:            "wait",
	kwWatch:           "watch",
	kwWhen:            "when",
	kwWhere:           "where",
	kwWhile:           "while",
	kwWindow:          "window",
	kwWith:            "with",
	kwWithin:          "within",
	kwWithout:         "without",
	kwWork:            "work",
	kwWorkload:        "workload",
	kwWrapper:         "wrapper",
	kwXa:              "xa",
	kwXml:             "xml",
	kwXor:             "xor",
}

var setsOf = [keywordCount]set{
	kwAggregate:     sObject,
	kwAll:           sNoCall,
	kwAlter:         sStatement,
	kwAnalyze:       sStatement,
	kwAnd:           sAnd | sReserved | sOperator | sNoCall,
	kwAny:           sNoCall,
	kwArray:         sNoCall,
	kwAs:            sAs | sWalk | sReserved | sClause | sOperator | sNoCall,
	kwAsc:           sOperator | sNoCall,
	kwAt:            sOperator | sNoCall,
	kwAttach:        sStatement,
	kwBefore:        sClause,
	kwBegin:         sBegin | sStatement,
	kwBetween:       sOperator | sNoCall,
	kwBy:            sNoCall,
	kwCache:         sNoCall,
	kwCall:          sStatement,
	kwCascade:       sCascade,
	kwCase:          sNoCall,
	kwCast:          sObject | sNoCall,
	kwCheck:         sNoCall,
	kwCollate:       sOperator | sNoCall,
	kwCollation:     sObject,
	kwCollection:    sObject,
	kwCommit:        sStatement,
	kwConfiguration: sObject,
	kwConnection:    sEngine,
	kwConstraint:    sObject,
	kwConversion:    sObject,
	kwCreate:        sReserved | sStatement,
	kwCross:         sClause | sNoCall,
	kwCube:          sNoCall,
	kwDatabase:      sObject,
	kwDeclare:       sStatement,
	kwDeduplicate:   sDeduplicate,
	kwDefault:       sClause | sNoCall,
	kwDelete:        sDML | sModify | sStatement,
	kwDesc:          sOperator | sNoCall,
	kwDetach:        sStatement,
	kwDictionary:    sObject,
	kwDistinct:      sNoCall,
	kwDiv:           sOperator | sNoCall,
	kwDo:            sDo | sStatement,
	kwDomain:        sObject,
	kwDrop:          sAction | sStatement,
	kwElse:          sReserved | sOperator | sNoCall,
	kwEnd:           sOperator | sStatement | sNoCall,
	kwEngine:        sEngine,
	kwEscape:        sOperator | sNoCall,
	kwEvent:         sObject,
	kwExcept:        sNoCall,
	kwExchange:      sStatement,
	kwExecute:       sClause | sStatement,
	kwExists:        sNoCall,
	kwExtension:     sObject,
	kwFetch:         sNoCall,
	kwFilter:        sNoCall,
	kwFinal:         sClause,
	kwFor:           sFor | sClause | sOperator | sNoCall,
	kwForce:         sClause,
	kwFormat:        sFormat | sClause,
	kwFrom:          sFrom | sQuery | sReserved | sClause | sOperator | sStatement | sNoCall,
	kwFull:          sClause | sNoCall,
	kwFunction:      sObject,
	kwGlob:          sOperator | sNoCall,
	kwGroup:         sClause | sObject | sNoCall,
	kwGrouping:      sNoCall,
	kwHaving:        sClause | sNoCall,
	kwIf:            sNoCall,
	kwIgnore:        sClause,
	kwIlike:         sOperator | sNoCall,
	kwIn:            sReserved | sClause | sOperator | sNoCall,
	kwIndex:         sObject | sNoCall,
	kwIndexed:       sClause,
	kwInfile:        sClause,
	kwInner:         sClause | sNoCall,
	kwInsert:        sDML | sModify | sStatement,
	kwIntersect:     sNoCall,
	kwInterval:      sNoCall,
	kwInto:          sInto | sReserved | sNoCall,
	kwIs:            sReserved | sOperator | sNoCall,
	kwIsnull:        sOperator | sNoCall,
	kwJoin:          sClause | sNoCall,
	kwKey:           sNoCall,
	kwKill:          sStatement,
	kwLanguage:      sObject,
	kwLarge:         sObject,
	kwLateral:       sNoCall,
	kwLeft:          sClause | sNoCall,
	kwLibrary:       sObject,
	kwLike:          sOperator | sNoCall,
	kwLimit:         sLimit | sReserved | sClause | sOperator | sNoCall,
	kwLogfile:       sObject,
	kwMapping:       sObject,
	kwMatch:         sOperator | sNoCall,
	kwMaterialized:  sNoCall,
	kwMerge:         sDML | sModify | sStatement,
	kwMethod:        sObject,
	kwMod:           sOperator | sNoCall,
	kwNatural:       sClause | sNoCall,
	kwNot:           sReserved | sClause | sOperator | sNoCall,
	kwNotnull:       sOperator | sNoCall,
	kwNulls:         sOperator,
	kwOf:            sNoCall,
	kwOffset:        sNoCall,
	kwOn:            sOn | sReserved | sClause | sNoCall,
	kwOnly:          sNoCall,
	kwOperator:      sObject,
	kwOptimize:      sStatement,
	kwOr:            sReserved | sOperator | sNoCall,
	kwOrder:         sOrder | sReserved | sClause | sOperator | sNoCall,
	kwOver:          sOperator | sNoCall,
	kwOverriding:    sClause,
	kwOwned:         sObject,
	kwPackage:       sObject,
	kwParallel:      sParallel | sClause,
	kwParser:        sObject,
	kwPartition:     sClause | sNoCall,
	kwPolicy:        sObject,
	kwPragma:        sStatement,
	kwPrimary:       sNoCall,
	kwProcedure:     sObject,
	kwProfile:       sObject,
	kwProjection:    sObject,
	kwPublication:   sObject,
	kwQuota:         sObject,
	kwRecursive:     sNoCall,
	kwReferences:    sWalk | sNoCall,
	kwRefresh:       sStatement,
	kwRegexp:        sOperator | sNoCall,
	kwReindex:       sStatement,
	kwRelease:       sStatement,
	kwRename:        sAction | sStatement,
	kwReplace:       sModify | sStatement,
	kwResource:      sObject,
	kwReturning:     sReturning | sClause | sNoCall,
	kwRight:         sClause | sNoCall,
	kwRlike:         sOperator | sNoCall,
	kwRole:          sObject,
	kwRollback:      sStatement,
	kwRollup:        sNoCall,
	kwRoutine:       sObject,
	kwRow:           sNoCall,
	kwRule:          sObject,
	kwSavepoint:     sStatement,
	kwSchema:        sObject,
	kwSelect:        sSelect | sQuery | sReserved | sClause | sStatement | sNoCall,
	kwSequence:      sObject,
	kwServer:        sObject,
	kwSet:           sSet | sReserved | sClause | sStatement | sNoCall,
	kwSets:          sNoCall,
	kwSettings:      sSettings | sClause,
	kwShow:          sStatement,
	kwSimilar:       sOperator | sNoCall,
	kwSome:          sNoCall,
	kwStatistics:    sObject,
	kwStraightJoin:  sClause,
	kwSubscription:  sObject,
	kwSystem:        sStatement,
	kwTable:         sQuery | sReserved | sClause | sObject | sStatement | sNoCall,
	kwTablespace:    sObject,
	kwTemplate:      sObject,
	kwThen:          sThen | sReserved | sOperator | sNoCall,
	kwTo:            sTo | sNoCall,
	kwTransform:     sObject,
	kwTrigger:       sObject,
	kwTruncate:      sStatement,
	kwType:          sAction | sObject,
	kwUndrop:        sStatement,
	kwUnion:         sEngine | sReserved | sClause | sOperator | sNoCall,
	kwUnique:        sNoCall,
	kwUpdate:        sDML | sModify | sStatement,
	kwUse:           sClause,
	kwUser:          sObject,
	kwUsing:         sUsing | sReserved | sClause | sOperator | sNoCall,
	kwVacuum:        sStatement,
	kwValue:         sClause | sNoCall,
	kwValues:        sValues | sQuery | sClause | sStatement | sNoCall,
	kwView:          sObject | sNoCall,
	kwWhen:          sReserved | sClause | sOperator | sNoCall,
	kwWhere:         sWhere | sReserved | sClause | sNoCall,
	kwWindow:        sClause | sNoCall,
	kwWith:          sQuery | sModify | sClause | sStatement | sNoCall,
	kwWithin:        sNoCall,
	kwWorkload:      sObject,
	kwWrapper:       sObject,
	kwXor:           sOperator | sNoCall,
	kwOptions:       sNoCall,
	kwColumn:        sNoCall,
}
