package engine

import (
	"context"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// among is the wording with which the statement can be sent in a batch.
func (p *postgres) among(ctx context.Context, f *Flight) wording {
	x := &f.st.targets[0]
	switch {
	case !p.isReadCommitted(ctx):
	case f.st.op.Acts[0].Verb == dbguard.Insert:
		if known, err := p.lookUpInsert(ctx, x, own); p.insertable(f, x) && !f.st.queries && err == nil && known.addsOnly {
			p.markVerified(x, false) // if that turns out wrong, nothing after it runs
			j := checks{seal: known.unchangedCond(x, own), ofTable: true, maxRows: x.op.Rows}
			return wording{text: p.checkedText(f, j), sealed: true, adds: true, tagged: f.tags(j.maxRows)}
		}
	case p.boundable(f) && isRegclassName(x) && !f.st.calls && !hasStar(&f.s.text.Text, x) && x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised) == 0:
		if known, ok := p.lookUpPlain(ctx, f); ok {
			seal := known.unchangedCond(x, false)
			if p.isVerified(x) {
				seal = "true" // an earlier statement of the batch or transaction checks the table
			}
			p.markVerified(x, false)
			return wording{text: p.boundText(f, checks{seal: seal, ofTable: true}), sealed: true, terse: p.terse(f), tagged: f.tags(f.op.Limit())}
		}
	}
	return wording{}
}

func (p *postgres) parted() { p.verified = nil }
