package engine

import (
	"context"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// among is the wording with which the flight's statement can stand among others.
func (p *postgres) among(ctx context.Context, f *Flight) wording {
	x := &f.st.targets[0]
	switch {
	case !p.committed(ctx):
	case f.st.op.Acts[0].Verb == dbguard.Insert:
		if known, err := p.met(ctx, x, own); p.insertable(f, x) && !f.st.queries && err == nil && known.ok {
			p.saw(x, false) // or nothing behind it will run
			j := judged{seal: known.still(x, own), seen: true, atMost: x.op.Rows}
			return wording{text: p.judgedText(f, j), sealed: true, adds: true, tagged: f.tags(j.atMost)}
		}
	case p.boundable(f) && isRegclass(x) && !f.st.calls && !starred(&f.s.text.Text, x) && x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised) == 0:
		if known, ok := p.plain(ctx, f); ok {
			seal := known.still(x, false)
			if p.sure(x) {
				seal = "true" // one before it looks, or has looked
			}
			p.saw(x, false)
			return wording{text: p.boundText(f, judged{seal: seal, seen: true}), sealed: true, terse: p.terse(f), tagged: f.tags(f.op.Limit())}
		}
	}
	return wording{}
}

func (p *postgres) parted() { p.seen = nil }
