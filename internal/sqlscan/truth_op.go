package sqlscan

// op is an operator, or another construct that follows its first operand.
type op uint8

const (
	opNone op = iota
	opOther
	opOr
	opXor
	opAnd
	opIs
	opIsNull  // x ISNULL
	opNotNull // x NOTNULL
	opNot     // x NOT IN, NOT LIKE, NOT BETWEEN, NOT NULL
	opIn
	opBetween
	opLike
	opEq
	opNe
	opLt
	opLe
	opGt
	opGe
	opNullSafe
	opBitOr
	opBitAnd
	opShl
	opShr
	opConcat
	opAdd
	opSub
	opMul
	opDiv
	opIntDiv
	opMod
	opBitXor
	opCast
	opIndex
	opCollate

	opCount
)

// prec is how closely an operator binds.
type prec uint8

const (
	precOr prec = iota + 1
	precXor
	precAnd
	precNot
	precIs
	precBetween
	precCmp
	precPred
	precBitOr
	precBitAnd
	precShift
	precAdd
	precMul
	precConcat
	precUnary
	precPostfix
	precTop
)

// bindings holds the precedence of every operator of a dialect, from the %left,
// %nonassoc and operator tables of the four grammars. opOther binds closest, so that
// it is always noticed, and the prover gives up.
var bindings = [...][opCount]prec{
	PostgreSQL: {
		opOr: precOr, opAnd: precAnd, opIs: precIs, opIsNull: precIs, opNotNull: precIs,
		opEq: precCmp, opNe: precCmp, opLt: precCmp, opLe: precCmp, opGt: precCmp, opGe: precCmp,
		opNot: precPred, opIn: precPred, opBetween: precPred, opLike: precPred,
		opBitOr: precBitOr, opBitAnd: precBitOr, opShl: precBitOr, opShr: precBitOr, opConcat: precBitOr,
		opAdd: precAdd, opSub: precAdd, opMul: precMul, opDiv: precMul, opMod: precMul,
		opCollate: precPostfix, opCast: precPostfix, opIndex: precPostfix, opOther: precTop,
	},
	MySQL: {
		opOr: precOr, opXor: precXor, opAnd: precAnd, opIs: precCmp,
		opEq: precCmp, opNe: precCmp, opLt: precCmp, opLe: precCmp, opGt: precCmp, opGe: precCmp, opNullSafe: precCmp,
		opNot: precPred, opIn: precPred, opBetween: precPred, opLike: precPred,
		opBitOr: precBitOr, opBitAnd: precBitAnd, opShl: precShift, opShr: precShift,
		opAdd: precAdd, opSub: precAdd, opMul: precMul, opDiv: precMul, opIntDiv: precMul, opMod: precMul,
		opBitXor: precConcat, opCollate: precPostfix, opOther: precTop,
	},
	SQLite: {
		opOr: precOr, opAnd: precAnd, opIs: precBetween, opIsNull: precBetween, opNotNull: precBetween,
		opEq: precBetween, opNe: precBetween, opNot: precBetween, opIn: precBetween, opBetween: precBetween, opLike: precBetween,
		opLt: precCmp, opLe: precCmp, opGt: precCmp, opGe: precCmp,
		opBitOr: precBitOr, opBitAnd: precBitOr, opShl: precBitOr, opShr: precBitOr,
		opAdd: precAdd, opSub: precAdd, opMul: precMul, opDiv: precMul, opMod: precMul,
		opConcat: precConcat, opCollate: precPostfix, opOther: precTop,
	},
	ClickHouse: {
		opOr: precOr, opAnd: precAnd, opIs: precIs, opBetween: precBetween, opNot: precCmp, opIn: precCmp, opLike: precCmp,
		opEq: precCmp, opNe: precCmp, opLt: precCmp, opLe: precCmp, opGt: precCmp, opGe: precCmp,
		opConcat: precBitOr, opAdd: precAdd, opSub: precAdd, opMul: precMul, opDiv: precMul, opMod: precMul,
		opCast: precPostfix, opIndex: precPostfix, opOther: precTop,
	},
}

// chains reports that another operator of this precedence may follow without
// brackets. Where grammars or their versions disagree, it may not.
func (d Dialect) chains(b prec) bool {
	switch b {
	case precIs, precPred:
		return false
	case precBetween:
		return d == SQLite
	case precCmp:
		return d == SQLite || d == MySQL
	}
	return true
}

// operator is the operator that begins here, and its number of tokens.
func (p *prover) operator() (op, int) {
	switch {
	case p.role != roleNone:
		return p.wordOperator(), 1
	case p.tok.Kind != Punct:
		return opNone, 0
	case p.dialect == PostgreSQL:
		return p.customOperator()
	}
	two := p.text[p.tok.Pos:min(int(p.tok.Pos)+2, len(p.text))]
	switch two {
	case "<=":
		if p.dialect != SQLite && p.at(2) == '>' {
			return opNullSafe, 3
		}
		return opLe, 2
	case ">=":
		return opGe, 2
	case "<>", "!=":
		return opNe, 2
	case "==":
		return opEq, 2
	case "<<":
		return opShl, 2
	case ">>":
		return opShr, 2
	case "||":
		return p.pipes(), 2
	case "&&":
		return opAnd, 2
	case "::":
		return opCast, 2
	case "->":
		return opOther, 2
	}
	return markOperator(p.tok.Byte), 1
}

// pipes is what || does.
func (p *prover) pipes() op {
	switch {
	case p.dialect != MySQL:
		return opConcat
	case p.mode&PipesAsConcat != 0:
		return opOther // binds like no other operator there; not worth it
	}
	return opOr
}

// at is the byte i places after the start of the current token, or 0.
func (p *prover) at(i int) byte {
	if i += int(p.tok.Pos); i < len(p.text) {
		return p.text[i]
	}
	return 0
}

func markOperator(b byte) op {
	switch b {
	case '=':
		return opEq
	case '<':
		return opLt
	case '>':
		return opGt
	case '|':
		return opBitOr
	case '&':
		return opBitAnd
	case '^':
		return opBitXor
	case '+':
		return opAdd
	case '-':
		return opSub
	case '*':
		return opMul
	case '/':
		return opDiv
	case '%':
		return opMod
	case '[':
		return opIndex
	case '(', ')', ',', ';', '{', '}':
		return opNone
	}
	return opOther
}

func (p *prover) wordOperator() op {
	switch p.role {
	case roleOr:
		return opOr
	case roleXor:
		return opXor
	case roleAnd:
		return opAnd
	case roleIs:
		return opIs
	case roleIsNull:
		return opIsNull
	case roleNotNull:
		return opNotNull
	case roleNot:
		return opNot
	case roleIn:
		return opIn
	case roleBetween:
		return opBetween
	case roleLike, roleILike:
		return opLike
	case roleDiv:
		return opIntDiv
	case roleMod:
		return opMod
	case roleCollate:
		return opCollate
	case roleReserved:
		return opOther
	}
	return opNone
}

// customOperator reads an operator of PostgreSQL: the longest run of operator bytes.
// A + or - at its end belongs to what follows, unless the run has a byte that only
// custom operators have.
func (p *prover) customOperator() (op, int) {
	if p.tok.Byte == ':' && p.at(1) == ':' {
		return opCast, 2
	}
	n, custom := 0, false
	for ; isOperatorByte(p.at(n)); n++ {
		if two := p.at(n + 1); p.at(n) == '-' && two == '-' || p.at(n) == '/' && two == '*' {
			break
		}
		custom = custom || !isArithmeticByte(p.at(n))
	}
	for n > 1 && !custom && (p.at(n-1) == '+' || p.at(n-1) == '-') {
		n--
	}
	switch text := p.text[p.tok.Pos : int(p.tok.Pos)+n]; text {
	case "<=":
		return opLe, 2
	case ">=":
		return opGe, 2
	case "<>", "!=":
		return opNe, 2
	case "||":
		return opConcat, 2
	case "<<":
		return opShl, 2
	case ">>":
		return opShr, 2
	case "^":
		return opOther, 1
	}
	if n > 1 {
		return opOther, n
	}
	return markOperator(p.tok.Byte), 1
}

func isOperatorByte(b byte) bool {
	switch b {
	case '~', '!', '@', '#', '%', '^', '&', '|', '`', '?':
		return true
	}
	return isArithmeticByte(b)
}

func isArithmeticByte(b byte) bool {
	switch b {
	case '+', '-', '*', '/', '<', '>', '=':
		return true
	}
	return false
}
