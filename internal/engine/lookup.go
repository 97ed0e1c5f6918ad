package engine

import (
	"context"
	"database/sql/driver"
	"slices"
	"strconv"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// lookUp removes the acts of a statement that would touch nothing that exists: DROP …
// IF EXISTS of a missing object, CREATE … IF NOT EXISTS of an existing one, anything
// about the session's temporary tables, ATTACH of an existing file. It sends queries
// only for DDL, which is rare.
func (s *Session) lookUp(ctx context.Context, t *sqlscan.Text, st *statement) error {
	if s.guard.Observing() {
		return nil
	}
	acts, targets := st.op.Acts[:0], st.targets[:0]
	st.noOp = len(st.targets) > 0 && st.op.Statements == 1
	renames := false
	var implied []dbguard.Act
	for i := range st.targets {
		verb := st.op.Acts[i].Verb
		found, err := s.resolveTarget(ctx, verb, &st.targets[i])
		if err != nil {
			return err
		}
		if len(t.Ops) > 0 && st.targets[i].op.At != t.Ops[0].At {
			found = resolveLaterTarget(found, verb, renames)
		}
		renames = renames || verb == dbguard.Reshape
		st.noOp = st.noOp && found == missing
		if found != existing {
			continue
		}
		if b, ok := s.backend.(impliedActor); ok {
			more, err := b.impliedActs(ctx, st, &st.targets[i], verb)
			if err != nil {
				return err
			}
			implied = append(implied, more...)
		}
		acts, targets = append(acts, st.op.Acts[i]), append(targets, st.targets[i])
	}
	st.op.Acts, st.targets = append(acts, implied...), append(targets, make([]target, len(implied))...)
	return nil
}

// impliedActor is a backend of an engine whose DDL affects more objects than it
// names.
type impliedActor interface {
	// impliedActs are the acts that come with the one on x.
	impliedActs(ctx context.Context, st *statement, x *target, verb dbguard.Verb) ([]dbguard.Act, error)
}

// resolveLaterTarget corrects resolveTarget for a statement that is not the text's
// first: an earlier one may have dropped the temporary table that hides another, or
// given a table the name that was free.
func resolveLaterTarget(found existence, verb dbguard.Verb, renames bool) existence {
	if found == shadowing || found == missing && renames && verb != dbguard.Create {
		return existing
	}
	return found
}

// attachArgument is the file of an ATTACH that names it by its only argument.
func (s *Session) attachArgument(x *target) (file string, ok bool) {
	if s.dialect != sqlscan.SQLite || x.keyword != "ATTACH" || len(s.args) != 1 {
		return "", false
	}
	n := 0
	for tok := range tokens(&s.text.Text, x.op.Object.Start, int32(len(s.text.Source))) {
		if n++; n == 2 {
			ok = strings.EqualFold(s.text.Source[tok.Pos:tok.End], "AS")
			break
		}
		if tok.Kind != sqlscan.Param {
			return "", false
		}
	}
	file, isText := s.args[0].Value.(string)
	return file, ok && isText
}

// setsOther reports a set_config whose name is an argument, and not that of a protection. The
// value is taken for the worst.
func (s *Session) setsOther(x *target) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(x.raw, "$"))
	if x.op.Flags&sqlscan.Parameterised == 0 || err != nil {
		return false
	}
	at := slices.IndexFunc(s.args, func(arg driver.NamedValue) bool { return arg.Ordinal == n })
	if at < 0 {
		return false
	}
	name, ok := s.args[at].Value.(string)
	return ok && !sqlscan.IsProtection(name)
}

// textArguments are the arguments that are texts. known is false if the type of some
// argument is not known.
func textArguments(args []driver.NamedValue) (texts []string, known bool) {
	known = true
	for _, arg := range args {
		switch v := arg.Value.(type) {
		case string:
			texts = append(texts, v)
		case []byte:
			texts = append(texts, string(v))
		default: // drivers take types of their own, too
			known = known && driver.IsValue(v)
		}
	}
	return texts, known
}

// resolveTarget says what the act is about. existing is what the rules ask about: an
// existing object or, for an act that creates, one that does not exist yet.
func (s *Session) resolveTarget(ctx context.Context, verb dbguard.Verb, x *target) (existence, error) {
	if file, ok := s.attachArgument(x); ok && opensExisting(file) {
		return temporary, nil
	}
	if x.op.Kind == sqlscan.GuardOff && s.setsOther(x) {
		return temporary, nil
	}
	if x.op.Flags&sqlscan.Parameterised != 0 || len(x.name) == 0 {
		return existing, nil
	}
	if q, ok := s.backend.(*sqlite); ok && x.op.Kind == sqlscan.Session {
		texts, _ := textArguments(s.args)
		return q.settingLosesData(ctx, &s.text.Text, x, texts)
	}
	switch verb {
	case dbguard.Create:
		return s.resolveCreate(ctx, x)
	case dbguard.Remove, dbguard.RemoveDatabase, dbguard.Empty, dbguard.Reshape:
		found, err := s.backend.find(ctx, x)
		if found == existing && err == nil {
			lacks, err := s.lacksParts(ctx, x)
			if lacks || err != nil {
				return missing, err
			}
		}
		if found == missing && x.op.Flags&sqlscan.IfExists == 0 {
			found = existing // it would fail anyway, but needs its grant like any other
		}
		return found, err
	}
	return existing, nil
}

// resolveCreate is temporary where a CREATE would find that its object exists.
func (s *Session) resolveCreate(ctx context.Context, x *target) (existence, error) {
	switch {
	case s.dialect == sqlscan.SQLite:
		if x.keyword == "ATTACH" && opensExisting(x.name[len(x.name)-1]) {
			return temporary, nil
		}
	case x.op.Flags&sqlscan.IfNotExists != 0 && s.canFind(x):
		found, err := s.backend.find(ctx, x)
		if found == existing && err == nil {
			return temporary, nil
		}
		return existing, err
	}
	return existing, nil
}

// canFind reports that existing is an answer and not merely unknown.
func (s *Session) canFind(x *target) bool {
	return s.dialect != sqlscan.ClickHouse && (x.class == "DATABASE" || x.class == "SCHEMA")
}
