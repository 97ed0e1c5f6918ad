package main

// The same line is in the README.
func Example() {
	main()
	// Output:
	// main.go:23: DG204 OverLimit: DELETE on users would change more than 1 row; nothing was changed. Raise the bound: dbguard.AtMost(ctx, n).
	// <nil>
}
