package engine

import (
	"context"
	"net/url"
	"os"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// lookUp leaves out the acts of a statement that would touch nothing that
// exists: DROP … IF EXISTS of what is missing, CREATE … IF NOT EXISTS of what
// is there, anything about the session's temporary tables, ATTACH of a file
// that is there. It asks only for statements about structure, which are rare.
func (s *Session) lookUp(ctx context.Context, st *statement) error {
	if s.guard.Observing() {
		return nil
	}
	acts, targets := st.op.Acts[:0], st.targets[:0]
	for i := range st.targets {
		moot, err := s.moot(ctx, st.op.Acts[i].Verb, &st.targets[i])
		if err != nil {
			return err
		}
		if !moot {
			acts, targets = append(acts, st.op.Acts[i]), append(targets, st.targets[i])
		}
	}
	st.op.Acts, st.targets = acts, targets
	return nil
}

// moot reports that the act touches nothing that exists or, for what it
// creates, that it exists already.
func (s *Session) moot(ctx context.Context, verb dbguard.Verb, x *target) (bool, error) {
	if x.op.Flags&sqlscan.Parameterised != 0 || len(x.name) == 0 {
		return false, nil
	}
	switch verb {
	case dbguard.Create:
		if s.dialect == sqlscan.SQLite {
			return x.how == "ATTACH" && opensExisting(x.name[len(x.name)-1]), nil
		}
		if x.op.Flags&sqlscan.IfNotExists == 0 {
			return false, nil
		}
		found, err := s.backend.find(ctx, x)
		return found == existing && s.canFind(x), err
	case dbguard.Remove, dbguard.RemoveDatabase, dbguard.Empty, dbguard.Reshape:
		found, err := s.backend.find(ctx, x)
		return found == temporary || found == missing && x.op.Flags&sqlscan.IfExists != 0, err
	}
	return false, nil
}

// canFind reports that existing is an answer and not the lack of one.
func (s *Session) canFind(x *target) bool {
	return s.dialect != sqlscan.ClickHouse && (x.class == "DATABASE" || x.class == "SCHEMA")
}

// opensExisting reports that ATTACH of this file creates none: it is there, or
// it lives in memory or in a temporary file of SQLite's own.
func opensExisting(file string) bool {
	if file == "" || file == ":memory:" {
		return true
	}
	if rest, ok := strings.CutPrefix(file, "file:"); ok {
		u, err := url.Parse(file)
		if err != nil {
			return false
		}
		if mode := u.Query().Get("mode"); mode == "memory" || mode == "ro" || mode == "rw" {
			return true // never created: missing is an error of its own
		}
		file = u.Path
		if u.Opaque != "" {
			file, _ = url.PathUnescape(u.Opaque)
		}
		if file == "" || rest == ":memory:" || file == ":memory:" {
			return true
		}
	}
	_, err := os.Stat(file)
	return err == nil
}
