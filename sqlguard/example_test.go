package sqlguard_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// The examples run on a stand-in for a driver, registered as "pgx": a server
// with a table of three users, of which id = 7 is one.
var users = &fake{
	counts: map[string]int64{"id = 7": 1, "id > 0": 3},
	sets:   [][][]driver.Value{{{int64(7)}, {int64(8)}, {int64(9)}}},
}

func init() { sql.Register("pgx", fakeDriver{users}) }

const dsn = "postgres://localhost/shop"

var ctx = context.Background()

func Example() {
	g, err := dbguard.New(dbguard.Policy{})
	if err != nil {
		log.Fatal(err)
	}
	db, err := sqlguard.Open("pgx", dsn, g) // in place of sql.Open
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(10)

	// Nobody said how many rows this is meant to delete.
	_, err = db.ExecContext(ctx, "DELETE FROM users WHERE id = 7")
	fmt.Println(errors.Is(err, dbguard.Unbounded))

	// One at most. There is one.
	_, err = db.ExecContext(dbguard.AtMost(ctx, 1), "DELETE FROM users WHERE id = 7")
	fmt.Println(err)

	// One at most. There are three: none of them is gone.
	_, err = db.ExecContext(dbguard.AtMost(ctx, 1), "DELETE FROM users WHERE id > 0")
	var v *dbguard.Violation
	if errors.As(err, &v) {
		fmt.Println(v.Rule, "effect:", v.Effect, "fix:", v.Fix)
	}
	// Output:
	// true
	// <nil>
	// DG204 OverLimit effect: undone fix: Raise the bound: dbguard.AtMost(ctx, n)
}

// Code that has no context to pass is served by standing limits.
func ExampleOpen() {
	g, err := dbguard.New(dbguard.Policy{Limits: map[string]int64{"users": 1, "*": 100}})
	if err != nil {
		log.Fatal(err)
	}
	db, err := sqlguard.Open("pgx", dsn, g)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(10)

	_, err = db.Exec("DELETE FROM users WHERE id = 7")
	fmt.Println(err)
	_, err = db.Exec("DELETE FROM users WHERE id > 0")
	fmt.Println(errors.Is(err, dbguard.OverLimit))
	// Output:
	// <nil>
	// true
}

func ExampleOpenX() {
	g, err := dbguard.New(dbguard.Policy{})
	if err != nil {
		log.Fatal(err)
	}
	db, err := sqlguard.OpenX("pgx", dsn, g)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(10)

	_, err = db.NamedExecContext(dbguard.AtMost(ctx, 1), "UPDATE users SET name = :name WHERE id = 7",
		map[string]any{"name": "Ada"})
	fmt.Println(err)
	// Output:
	// <nil>
}

// A connector that the program made itself, as of pgx's stdlib.GetConnector or
// mysql.NewConnector.
func ExampleWrapConnector() {
	g, err := dbguard.New(dbguard.Policy{})
	if err != nil {
		log.Fatal(err)
	}
	var connector driver.Connector = users
	db := sql.OpenDB(sqlguard.WrapConnector(connector, g))
	defer db.Close()

	_, err = db.ExecContext(ctx, "DELETE FROM users WHERE id = 7")
	fmt.Println(errors.Is(err, dbguard.ErrRefused))
	// Output:
	// true
}

// For code that opens its database by driver name and DSN only: migration
// tools, ORMs, plugins.
func ExampleRegister() {
	g, err := dbguard.New(dbguard.Policy{})
	if err != nil {
		log.Fatal(err)
	}
	base := fakeDriver{users} // such as &pq.Driver{} or mysql.MySQLDriver{}
	if err := sqlguard.Register("guarded-pgx", base, g); err != nil {
		log.Fatal(err)
	}
	db, err := sql.Open("guarded-pgx", dsn)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	_, err = db.ExecContext(ctx, "DELETE FROM users WHERE id = 7")
	fmt.Println(errors.Is(err, dbguard.ErrRefused))
	// Output:
	// true
}

func ExampleWithDialect() {
	g, err := dbguard.New(dbguard.Policy{})
	if err != nil {
		log.Fatal(err)
	}
	// Behind a proxy that answers no version.
	db, err := sqlguard.Open("pgx", dsn, g, sqlguard.WithDialect(sqlguard.PostgreSQL))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(10)
	fmt.Println(db.PingContext(ctx))
	// Output:
	// <nil>
}

// The driver's own connection, for what database/sql has no call for.
func ExampleRaw() {
	db := example()
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		base, err := sqlguard.Raw(ctx, c, "COPY of the nightly import")
		if err != nil {
			return err
		}
		// With pgx: base.(*stdlib.Conn).Conn().CopyFrom(…)
		_, err = base.(driver.ExecerContext).ExecContext(ctx, "COPY users FROM '/srv/users.csv'", nil)
		return err
	})
	fmt.Println(err)
	// Output:
	// <nil>
}

// A loop of single deletes is within its bound each time. A budget sees the sum.
func Example_budget() {
	db := example()
	defer db.Close()
	ctx := dbguard.Budget(ctx, 2)
	for range 3 {
		_, err := db.ExecContext(ctx, "DELETE FROM users WHERE id = 7")
		fmt.Println(errors.Is(err, dbguard.OverBudget))
	}
	// Output:
	// false
	// false
	// true
}

// Too few is wrong as well.
func Example_exactly() {
	db := example()
	defer db.Close()
	_, err := db.ExecContext(dbguard.Exactly(ctx, 1), "UPDATE users SET admin = true WHERE id = 99")
	fmt.Println(errors.Is(err, dbguard.UnderLimit))
	// Output:
	// true
}

// The rows of RETURNING stream; the verdict comes with their end.
func Example_returning() {
	db := example()
	defer db.Close()
	rows, err := db.QueryContext(dbguard.AtMost(ctx, 2), "DELETE FROM users WHERE id > 0 RETURNING id")
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			log.Fatal(err)
		}
		fmt.Println(id)
	}
	fmt.Println(errors.Is(rows.Err(), dbguard.OverLimit), "- all three are still there")
	// Output:
	// 7
	// 8
	// 9
	// true - all three are still there
}

// Structure is lost by name only, for a reason that ends up in the trace.
func Example_allow() {
	db := example()
	defer db.Close()
	_, err := db.ExecContext(ctx, "DROP TABLE users")
	fmt.Println(errors.Is(err, dbguard.Drop))
	_, err = db.ExecContext(dbguard.Allow(ctx, "replaced by accounts", dbguard.DropTable("users")), "DROP TABLE users")
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// example opens the database of the examples.
func example() *sql.DB {
	g, err := dbguard.New(dbguard.Policy{})
	if err != nil {
		log.Fatal(err)
	}
	db, err := sqlguard.Open("pgx", dsn, g)
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(10)
	return db
}
