// Command benchtable turns the output of `go test -bench` of package bench into a page:
//
//	withservers go test -bench . -benchmem ./bench 2>&1 | benchtable > BENCH.md
//
// The output of withservers may be among it.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

func main() {
	r, err := read(os.Stdin)
	if err == nil {
		err = r.write(os.Stdout, machine())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}

// read takes the lines that it knows.
func read(in io.Reader) (*results, error) {
	r := &results{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := r.line(lines.Text()); err != nil {
			return nil, err
		}
	}
	if len(r.rows) == 0 && lines.Err() == nil {
		return nil, fmt.Errorf("no benchmark among the input")
	}
	return r, lines.Err()
}
