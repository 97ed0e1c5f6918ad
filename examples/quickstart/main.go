package main

import (
	"context"
	"fmt"
	"log"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
	_ "modernc.org/sqlite" // or any other driver
)

func main() {
	guard, err := dbguard.New(dbguard.Policy{}) // the zero value enforces every rule
	check(err)
	db, err := sqlguard.Open("sqlite", ":memory:", guard) // an ordinary *sql.DB
	check(err)
	db.SetMaxOpenConns(1) // to SQLite, each connection to :memory: is another database
	_, err = db.Exec("CREATE TABLE users AS SELECT 1 AS id UNION SELECT 2 UNION SELECT 3")
	check(err)

	one := dbguard.AtMost(context.Background(), 1)
	_, err = db.ExecContext(one, "DELETE FROM users WHERE id > 1")
	fmt.Println(err)
	_, err = db.ExecContext(one, "DELETE FROM users WHERE id = 3")
	fmt.Println(err)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
