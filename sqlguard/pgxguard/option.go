package pgxguard

import (
	"errors"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Option adjusts how New guards a pool.
type Option func(*settings) error

// WithGate refuses what changes anything while the gate is closed, as rule
// DG401, and reads if the gate says so. What ends a transaction passes.
func WithGate(gate *dbguard.Gate) Option {
	return func(s *settings) error {
		s.gate = gate
		return nil
	}
}

// settings are what a pool is guarded with.
type settings struct {
	guard *dbguard.Guard
	gate  *dbguard.Gate // nil: open
}

func newSettings(g *dbguard.Guard, opts []Option) (settings, error) {
	s := settings{guard: g}
	if err := g.Check(); err != nil {
		return s, err
	}
	for _, o := range opts {
		if o == nil {
			return s, errors.New("pgxguard: a nil Option")
		}
		if err := o(&s); err != nil {
			return s, err
		}
	}
	return s, nil
}
