package dbguard

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Policy says how a Guard judges. The zero value is safe: every rule at its default
// level, no limits, traces and metrics to OpenTelemetry's global providers. New
// copies it.
type Policy struct {
	// Mode is Enforce unless set.
	Mode Mode
	// Levels overrides the default level of individual rules.
	Levels map[RuleID]Level
	// Limits are bounds in rows per statement, by table or document database; "*"
	// applies to all others. They are for code that has no context to pass; a bound
	// in the context takes precedence.
	Limits map[string]int64
	// TracerProvider makes the span of each destructive operation. Nil means
	// OpenTelemetry's global provider.
	TracerProvider trace.TracerProvider
	// MeterProvider counts operations and rows. Nil means the global provider.
	MeterProvider metric.MeterProvider
	// Logger, if set, gets a line for each operation whose outcome is not just
	// "done".
	Logger *slog.Logger
	// Observers are called with every Event, in order, on the goroutine of the
	// operation. They must be safe for concurrent use and must not block.
	Observers []Observer
}

// Mode says whether verdicts are enforced.
type Mode uint8

const (
	Enforce Mode = iota // refuse, and undo what exceeds its bound
	Observe             // run every statement as if unguarded; report what would have been refused
)

// Level says what a finding of a rule leads to.
type Level uint8

const (
	Deny Level = iota + 1 // refuse
	Warn                  // let pass, and report
	Off                   // let pass
)

// String is "deny", "warn" or "off".
func (l Level) String() string {
	switch l {
	case Deny:
		return "deny"
	case Warn:
		return "warn"
	case Off:
		return "off"
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// everyTable is the key in Limits for all tables without one of their own.
const everyTable = "*"

func (p *Policy) validate() error {
	var errs []error
	if p.Mode > Observe {
		errs = append(errs, fmt.Errorf("dbguard: Policy.Mode %d is neither Enforce nor Observe", p.Mode))
	}
	errs = append(errs, p.validateLevels()...)
	errs = append(errs, p.validateLimits()...)
	if slices.Contains(p.Observers, nil) {
		errs = append(errs, errors.New("dbguard: Policy.Observers holds a nil Observer"))
	}
	return errors.Join(errs...)
}

func (p *Policy) validateLevels() (errs []error) {
	for _, id := range slices.Sorted(maps.Keys(p.Levels)) {
		r := ruleByID(id)
		if r == nil {
			errs = append(errs, fmt.Errorf("dbguard: Policy.Levels names %q, which is no rule", string(id)))
		} else if r.check == nil {
			errs = append(errs, fmt.Errorf("dbguard: Policy.Levels names %s, which is a fact and no verdict: it has no level", id.Error()))
		}
		if l := p.Levels[id]; l < Deny || l > Off {
			errs = append(errs, fmt.Errorf("dbguard: Policy.Levels[%q] is neither Deny, Warn nor Off", string(id)))
		}
	}
	return errs
}

func (p *Policy) validateLimits() (errs []error) {
	keys := make(map[string]string, len(p.Limits))
	for _, table := range slices.Sorted(maps.Keys(p.Limits)) {
		if p.Limits[table] < 0 {
			errs = append(errs, fmt.Errorf("dbguard: Policy.Limits[%q] is %d: a bound is 0 or more", table, p.Limits[table]))
		}
		if strings.TrimSpace(table) == "" {
			errs = append(errs, fmt.Errorf("dbguard: Policy.Limits[%q] names no table: use %q for all others", table, everyTable))
		}
		key := strings.ToLower(table)
		if other, ok := keys[key]; ok {
			errs = append(errs, fmt.Errorf("dbguard: Policy.Limits names one table twice: %q and %q", other, table))
		}
		keys[key] = table
	}
	return errs
}

// clone is a copy that the caller cannot change; the names in Limits are folded.
func (p Policy) clone() Policy {
	limits := make(map[string]int64, len(p.Limits))
	for table, n := range p.Limits {
		limits[strings.ToLower(table)] = n
	}
	p.Limits = limits
	p.Levels = maps.Clone(p.Levels)
	p.Observers = slices.Clone(p.Observers)
	return p
}

func (p *Policy) level(r *rule) Level {
	if l, ok := p.Levels[r.ID]; ok {
		return l
	}
	return r.Default
}

// limit is the entry in Limits for a table, and its key.
func (p *Policy) limit(table string) (key string, n int64, ok bool) {
	key = strings.ToLower(table)
	if n, ok = p.Limits[key]; ok {
		return key, n, true
	}
	n, ok = p.Limits[everyTable]
	return everyTable, n, ok
}
