// Package examples holds runnable programs. Its own tests check that the README of
// the repository matches them.
//
//	quickstart   the program of the README
//	unittest     how to test code that deletes and updates
//	orms         GORM, sqlx and libraries that open a driver by name
//	postmortems  incidents in which data was lost, replayed
package examples
