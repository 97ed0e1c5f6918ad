// Package callsite finds the line of the application that a database call came
// from: past this library, database/sql and the ORMs.
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

// passed are the packages between an application and its database, as prefixes
// of the functions' names.
var passed = []string{
	"github.com/dbguard/dbguard-go/dbguard.",
	"github.com/dbguard/dbguard-go/sqlguard",
	"github.com/dbguard/dbguard-go/couch",
	"github.com/dbguard/dbguard-go/internal/engine.",
	"github.com/dbguard/dbguard-go/internal/callsite.Find",
	"database/sql.",
	"runtime.",
	"entgo.io/ent/",
	"github.com/Masterminds/squirrel",
	"github.com/go-gorm/",
	"github.com/go-kivik/kivik/",
	"github.com/jackc/pgx/",
	"github.com/jmoiron/sqlx",
	"github.com/uptrace/bun",
	"github.com/volatiletech/sqlboiler/",
	"gorm.io/",
	"net/http.",
	"xorm.io/",
}

// Find is the innermost frame of the calling goroutine that belongs to none of
// the passed packages.
func Find() Site {
	var pcs [48]uintptr
	n := runtime.Callers(2, pcs[:])
	frames := runtime.CallersFrames(pcs[:n])
	for {
		frame, more := frames.Next()
		if frame.Function != "" && !isPassed(&frame) {
			return Site{frame.File, frame.Line, frame.Function}
		}
		if !more {
			return Site{}
		}
	}
}

// isPassed keeps test files of the passed packages: they are applications.
func isPassed(f *runtime.Frame) bool {
	for _, prefix := range passed {
		if strings.HasPrefix(f.Function, prefix) {
			return !strings.HasSuffix(f.File, "_test.go")
		}
	}
	return false
}
