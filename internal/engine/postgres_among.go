package engine

import (
	"context"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// rewriteForBatch is the wording with which the flight's statement can stand among others.
func (p *postgres) rewriteForBatch(ctx context.Context, f *Flight) rewrite {
	x := &f.st.targets[0]
	switch {
	case !p.committed(ctx):
	case f.st.op.Acts[0].Verb == dbguard.Insert:
		if known, err := p.met(ctx, x, ownTx); p.insertable(f, x) && !f.st.insertsQuery && err == nil && known.ok {
			p.saw(x, false) // or nothing behind it will run
			j := judged{seal: known.still(x, ownTx), seen: true, atMost: x.op.Rows}
			return rewrite{text: p.judgedText(f, j), sealed: true, onlyAdds: true, tagged: f.usesCommandTag(j.atMost)}
		}
	case p.boundable(f) && isRegclass(x) && !f.st.calls && !starred(&f.s.text.Text, x) && x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised) == 0:
		if known, ok := p.plain(ctx, f); ok {
			seal := known.still(x, false)
			if p.sure(x) {
				seal = "true" // one before it looks, or has looked
			}
			p.saw(x, false)
			return rewrite{text: p.boundText(f, judged{seal: seal, seen: true}), sealed: true, ambiguousError: p.terse(f), tagged: f.usesCommandTag(f.op.Limit())}
		}
	}
	return rewrite{}
}

func (p *postgres) notSent() { p.seen = nil }
