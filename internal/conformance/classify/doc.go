// Package classify compares the statement classifier with real parsers and real engines:
// PostgreSQL's own grammar (pg_query), a MySQL grammar that others wrote (TiDB's), and
// SQLite. Nothing here ships.
// No text that modifies may be read as harmless, and where the parser accepts a text, we
// must agree on the kind, tables and WHERE of every operation. Exceptions are in a table
// with their reasons, and counted.
package classify
