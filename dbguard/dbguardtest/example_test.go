package dbguardtest_test

import (
	"context"
	"fmt"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
)

// In a test this is the *testing.T.
var t = printer{}

func ExampleNewRecorder() {
	rec := dbguardtest.NewRecorder()
	g, err := dbguard.New(dbguard.Policy{Observers: []dbguard.Observer{rec}})
	if err != nil {
		panic(err)
	}
	ctx := dbguard.AtMost(context.Background(), 1)
	_ = erase(ctx, g, "users", 1, nil)
	_ = erase(ctx, g, "sessions", 5, nil)
	for _, e := range rec.Events() {
		fmt.Println(e.Outcome, e.Op.Summary, e.Rows)
	}
	rec.Reset()
	fmt.Println(len(rec.Events()))
	// Output:
	// done DELETE users 1
	// undone DELETE sessions 5
	// 0
}

func ExampleAssertRefused() {
	g, err := dbguard.New(dbguard.Policy{})
	if err != nil {
		panic(err)
	}
	err = erase(context.Background(), g, "users", 1, nil)
	fmt.Println(dbguardtest.AssertRefused(t, err, dbguard.Unbounded))
	fmt.Println(dbguardtest.AssertRefused(t, err, dbguard.OverLimit, "erasing user %d", 7))
	// Output:
	// true
	// AssertRefused: refused by DG201 Unbounded, want DG204 OverLimit
	// message: erasing user 7
	// refused:   DG201 Unbounded: DELETE on users has no bound
	// fix:       Say how many rows it may change: dbguard.AtMost(ctx, n)
	// site:      door_test.go:24
	// statement: DELETE FROM users WHERE id = ?
	//                        ^
	// effect:    none: nothing was changed
	// why:       A reviewed maintenance script deleted every record of a table: nobody had said how many it was meant to touch.
	// false
}

func ExampleAssertChanged() {
	rec := dbguardtest.NewRecorder()
	g, err := dbguard.New(dbguard.Policy{Observers: []dbguard.Observer{rec}})
	if err != nil {
		panic(err)
	}
	ctx := dbguard.AtMost(context.Background(), 10)
	_ = erase(ctx, g, "users", 1, nil)
	_ = erase(ctx, g, "users", 20, nil)
	fmt.Println(dbguardtest.AssertChanged(t, rec, "users", 1))
	fmt.Println(dbguardtest.AssertChanged(t, rec, "users", 21))
	// Output:
	// true
	// AssertChanged: 1 row of users changed, want 21
	// recorded:
	//   OUTCOME  OPERATION        ROWS  RULE             SITE
	//   done     DELETE on users  1                      door_test.go:24
	//   undone   DELETE on users  20    DG204 OverLimit  door_test.go:24
	// false
}

func ExampleAssertNothingDestroyed() {
	rec := dbguardtest.NewRecorder()
	g, err := dbguard.New(dbguard.Policy{Observers: []dbguard.Observer{rec}})
	if err != nil {
		panic(err)
	}
	_ = erase(context.Background(), g, "users", 1, nil)
	fmt.Println(dbguardtest.AssertNothingDestroyed(t, rec))
	_ = erase(dbguard.AtMost(context.Background(), 1), g, "users", 1, nil)
	fmt.Println(dbguardtest.AssertNothingDestroyed(t, rec, "a dry run"))
	// Output:
	// true
	// AssertNothingDestroyed: something was
	// message: a dry run
	// recorded:
	//   OUTCOME  OPERATION        ROWS  RULE             SITE
	//   refused  DELETE on users  -     DG201 Unbounded  door_test.go:24
	//   done     DELETE on users  1                      door_test.go:24
	// false
}
