package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// results are those of one run.
type results struct {
	cpu, servers []string
	rows         []row
}

// A row is one benchmark.
type row struct {
	bench   string   // without "Benchmark"
	path    []string // of its subtests
	metrics map[string]float64
}

var (
	benchmark = regexp.MustCompile(`^Benchmark(\w+?)(/\S+?)?(?:-\d+)?\s+\d+\s+(.*)$`)
	server    = regexp.MustCompile(`^withservers: \S+ at \S+: (.*)$`)
)

// line takes a line of the output, if it means anything.
func (r *results) line(text string) error {
	if name, found := strings.CutPrefix(text, "cpu: "); found {
		r.cpu = append(r.cpu, name)
	}
	if m := server.FindStringSubmatch(text); m != nil {
		version, _, _ := strings.Cut(m[1], " (")  // of the distribution
		if !slices.Contains(r.servers, version) { // they are started twice
			r.servers = append(r.servers, version)
		}
	}
	if strings.HasPrefix(strings.TrimSpace(text), "--- FAIL") {
		return fmt.Errorf("a benchmark failed: %s", text)
	}
	m := benchmark.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	x := row{bench: m[1], metrics: map[string]float64{}}
	if m[2] != "" {
		x.path = strings.Split(strings.ReplaceAll(m[2][1:], "_", " "), "/")
	}
	fields := strings.Fields(m[3])
	for i := 0; i+1 < len(fields); i += 2 {
		n, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return fmt.Errorf("%w in %q", err, text)
		}
		x.metrics[fields[i+1]] = n
	}
	r.rows = append(r.rows, x)
	return nil
}

// of are the rows of one benchmark.
func (r *results) of(bench string) (rows []row) {
	for _, x := range r.rows {
		if x.bench == bench {
			rows = append(rows, x)
		}
	}
	return rows
}

// duration formats a time.
func (x row) duration(metric string) string {
	n, ok := x.metrics[metric]
	if !ok {
		return ""
	}
	d := time.Duration(n)
	switch {
	case d >= time.Second:
		d = d.Round(10 * time.Millisecond)
	case d >= time.Millisecond:
		d = d.Round(10 * time.Microsecond)
	case d >= time.Microsecond:
		d = d.Round(100 * time.Nanosecond)
	}
	return d.String()
}

// number formats a metric.
func (x row) number(metric, format string) string {
	n, ok := x.metrics[metric]
	if !ok {
		return ""
	}
	return fmt.Sprintf(format, n)
}
