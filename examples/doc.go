// Package examples holds runnable programs; what is here itself keeps the
// README of the repository true to them.
//
//	quickstart   the program of the README
//	unittest     how to test code that deletes and updates
//	orms         GORM, sqlx and libraries that open a driver by name
//	postmortems  incidents in which data was lost, replayed
package examples
