// Package callsite finds the line of the application that a database call came from,
// skipping this library, database/sql, ORMs and other wrappers.
package callsite

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// Site is a place in the application's source. The zero Site is unknown.
type Site struct {
	File     string
	Line     int
	Function string
}

// String is file:line with the file's base name, "" for an unknown site.
func (s Site) String() string {
	if s.Line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", filepath.Base(s.File), s.Line)
}

// skipped are the packages between an application and its database, as prefixes of
// function names. Code that an ORM generates into the application's own packages
// belongs to the application.
var skipped = []string{
	// this library
	"github.com/dbguard/dbguard-go/dbguard.",
	"github.com/dbguard/dbguard-go/sqlguard",
	"github.com/dbguard/dbguard-go/couch",
	"github.com/dbguard/dbguard-go/internal/engine.",
	"github.com/dbguard/dbguard-go/internal/callsite.",
	// what calls on its behalf
	"database/sql.", "io.", "net/http.", "reflect.", "runtime.", "sync.",
	// ORMs, query builders, migration tools
	"entgo.io/ent/",
	"github.com/Masterminds/squirrel",
	"github.com/aarondl/sqlboiler/",
	"github.com/doug-martin/goqu/",
	"github.com/georgysavva/scany/",
	"github.com/go-gorm/",
	"github.com/go-gorp/gorp",
	"github.com/go-jet/jet/",
	"github.com/go-kivik/kivik/",
	"github.com/gocraft/dbr",
	"github.com/golang-migrate/migrate/",
	"github.com/jackc/pgx/",
	"github.com/jmoiron/sqlx",
	"github.com/pressly/goose/",
	"github.com/stephenafamo/bob",
	"github.com/upper/db/",
	"github.com/uptrace/bun",
	"github.com/volatiletech/sqlboiler/",
	"gorm.io/",
	"xorm.io/",
	// other wrappers of drivers
	"github.com/DataDog/dd-trace-go/",
	"github.com/XSAM/otelsql",
	"github.com/ngrok/sqlmw",
	"github.com/qustavo/sqlhooks/",
	"github.com/uptrace/opentelemetry-go-extra/",
	"go.nhat.io/otelsql",
	"gopkg.in/DataDog/dd-trace-go",
}

// depth is how many frames there may be in between: GORM with plugins has some
// thirty.
const depth = 96

// Find is the innermost frame of the calling goroutine that is in none of the skipped
// packages.
func Find() Site {
	var pcs [depth]uintptr
	n := runtime.Callers(2, pcs[:])
	if n == 0 {
		return Site{}
	}
	frames := runtime.CallersFrames(pcs[:n])
	for {
		frame, more := frames.Next()
		if frame.Function != "" && !isSkipped(frame.Function, frame.File) {
			return Site{frame.File, frame.Line, frame.Function}
		}
		if !more {
			return Site{}
		}
	}
}

// isSkipped does not skip the test files of the packages: they are applications.
func isSkipped(function, file string) bool {
	for _, prefix := range skipped {
		if strings.HasPrefix(function, prefix) {
			return !strings.HasSuffix(file, "_test.go")
		}
	}
	return false
}
