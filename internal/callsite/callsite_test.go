package callsite

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// here is the line of its caller.
func here() int {
	_, _, line, _ := runtime.Caller(1)
	return line
}

type repository[T any] struct{}

func (repository[T]) delete() (Site, int) { return Find(), here() }

func generic[T any](T) (Site, int) { return Find(), here() }

func TestFindNamesTheCallersLine(t *testing.T) {
	closure := func() (Site, int) { return Find(), here() }
	cases := []struct {
		name, function string
		find           func() (Site, int)
	}{
		{"plain function", "TestFindNamesTheCallersLine.func2", func() (Site, int) { return Find(), here() }},
		{"closure", "TestFindNamesTheCallersLine.func1", closure},
		{"generic function", "generic[...]", func() (Site, int) { return generic(1) }},
		{"method of a generic type", "repository[...].delete", repository[string]{}.delete},
		{"inside sync.Once", "TestFindNamesTheCallersLine", func() (s Site, line int) {
			new(sync.Once).Do(func() { s, line = Find(), here() })
			return s, line
		}},
		{"goroutine with a closure", "TestFindNamesTheCallersLine", func() (s Site, line int) {
			var wg sync.WaitGroup
			wg.Go(func() { s, line = Find(), here() })
			wg.Wait()
			return s, line
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			site, line := c.find()
			if !strings.HasSuffix(site.File, "callsite_test.go") || site.Line != line {
				t.Errorf("found %s:%d, want callsite_test.go:%d", site.File, site.Line, line)
			}
			if !strings.Contains(site.Function, c.function) {
				t.Errorf("found function %s, want %s", site.Function, c.function)
			}
		})
	}
}

// A database call that a go statement makes directly has no frame of the
// application's on its stack.
func TestFindKnowsNothingOfABareGoStatement(t *testing.T) {
	find := sync.OnceValue(Find)
	before := runtime.NumGoroutine()
	go find()
	for runtime.NumGoroutine() > before {
		runtime.Gosched()
	}
	if site := find(); site != (Site{}) {
		t.Errorf("found %+v, want the zero Site", site)
	}
}

func TestFindIsNotBlindToDeepStacks(t *testing.T) {
	site := through(depth/2, Find)
	if !strings.HasSuffix(site.File, "_test.go") {
		t.Errorf("found %+v, want a frame of this file", site)
	}
}

func through(n int, f func() Site) Site {
	if n == 0 {
		return f()
	}
	return through(n-1, f)
}

func TestFramesThatArePassed(t *testing.T) {
	cases := []struct {
		function, file string
		passed         bool
	}{
		{"database/sql.(*DB).ExecContext", "sql.go", true},
		{"database/sql.withLock", "sql.go", true},
		{"github.com/dbguard/dbguard-go/dbguard.(*Guard).Begin", "guard.go", true},
		{"github.com/dbguard/dbguard-go/dbguard.(*Guard).Begin.func1", "guard.go", true},
		{"github.com/dbguard/dbguard-go/dbguard_test.TestX", "x_test.go", false},
		{"github.com/dbguard/dbguard-go/dbguard.TestX", "x_test.go", false},
		{"github.com/dbguard/dbguard-go/dbguard/dbguardtest.TestX", "x_test.go", false},
		{"github.com/dbguard/dbguard-go/sqlguard.(*conn).ExecContext", "conn.go", true},
		{"github.com/dbguard/dbguard-go/sqlguard/pgxguard.(*Pool).Exec", "pool.go", true},
		{"github.com/dbguard/dbguard-go/internal/engine.(*Session).Start", "session.go", true},
		{"github.com/dbguard/dbguard-go/examples/postmortems.main", "main.go", false},
		{"gorm.io/gorm.(*DB).Delete", "finisher_api.go", true},
		{"gorm.io/gorm.G[...].Delete", "generics.go", true},
		{"gorm.io/gorm/callbacks.Delete.func1", "delete.go", true},
		{"github.com/jmoiron/sqlx.(*DB).NamedExecContext", "sqlx.go", true},
		{"github.com/jmoiron/sqlx/reflectx.Deref", "reflect.go", true},
		{"github.com/uptrace/bun.(*DeleteQuery).Exec", "query_delete.go", true},
		{"entgo.io/ent/dialect/sql.Conn.Exec", "driver.go", true},
		{"example.com/shop/ent.(*UserDelete).Exec", "user_delete.go", false}, // generated, but the application's
		{"github.com/XSAM/otelsql.(*otConn).ExecContext", "conn.go", true},
		{"runtime.goexit", "asm_amd64.s", true},
		{"main.main", "main.go", false},
		{"main.main.func1", "main.go", false},
		{"example.com/database/sql.Delete", "x.go", false},
		{"io/ioutil.ReadAll", "x.go", false},
	}
	for _, c := range cases {
		if got := isSkipped(c.function, c.file); got != c.passed {
			t.Errorf("isPassed(%s, %s) = %v", c.function, c.file, got)
		}
	}
}

func TestPassedHasNoDuplicates(t *testing.T) {
	sorted := slices.Sorted(slices.Values(skipped))
	if n := len(slices.Compact(sorted)); n != len(skipped) {
		t.Errorf("%d of %d prefixes are distinct", n, len(skipped))
	}
}

func TestSiteString(t *testing.T) {
	if got := (Site{File: "/src/shop/cleanup.go", Line: 42}).String(); got != "cleanup.go:42" {
		t.Errorf("got %q", got)
	}
	if got := (Site{}).String(); got != "" {
		t.Errorf("the zero Site is %q", got)
	}
}
