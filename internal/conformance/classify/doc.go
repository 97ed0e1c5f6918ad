// Package classify holds the statement classifier to real parsers and real
// engines: PostgreSQL's own grammar (pg_query), a MySQL grammar that others
// wrote (TiDB's), and SQLite. Nothing here ships.
//
// What must hold: no text that modifies is read as harmless, and where the
// parser accepts a text, kind, tables and WHERE of every operation are its.
// Where they are not, the reason stands in a table and is counted.
package classify
