package engine

import (
	"context"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// rewriteForBatch is the rewrite with which the statement can be sent in a batch.
func (p *postgres) rewriteForBatch(ctx context.Context, f *Flight) rewrite {
	x := &f.st.targets[0]
	switch {
	case !p.isReadCommitted(ctx):
	case f.st.op.Acts[0].Verb == dbguard.Insert:
		if known, err := p.lookUpInsert(ctx, x, ownTx); p.insertable(f, x) && !f.st.insertsQuery && err == nil && known.addsOnly {
			p.markVerified(x, false) // if that turns out wrong, nothing after it runs
			j := checks{seal: known.unchangedCond(x, ownTx), ofTable: true, maxRows: x.op.Rows}
			return rewrite{text: p.checkedText(f, j), sealed: true, onlyAdds: true, tagged: f.usesCommandTag(j.maxRows)}
		}
	case p.boundable(f) && isRegclassName(x) && !f.st.calls && !hasStar(&f.s.text.Text, x) && x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised) == 0:
		if known, ok := p.lookUpPlain(ctx, f); ok {
			seal := known.unchangedCond(x, false)
			if p.isVerified(x) {
				seal = "true" // an earlier statement of the batch or transaction checks the table
			}
			p.markVerified(x, false)
			return rewrite{text: p.boundText(f, checks{seal: seal, ofTable: true}), sealed: true, ambiguousError: p.mayRaiseAmbiguously(f), tagged: f.usesCommandTag(f.op.Limit())}
		}
	}
	return rewrite{}
}

func (p *postgres) notSent() { p.verified = nil }
