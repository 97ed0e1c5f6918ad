package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// A recorder keeps the spans that end. A service would export them; here they
// are printed.
type recorder struct{ spans []sdktrace.ReadOnlySpan }

func (r *recorder) provider() *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSyncer(r))
}

// ExportSpans is called by the provider as each span ends.
func (r *recorder) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	r.spans = append(r.spans, spans...)
	return nil
}

// Shutdown has nothing to flush.
func (r *recorder) Shutdown(context.Context) error { return nil }

// printSpan writes a span in a few lines: its name and status, then its
// attributes, those of a namespace (db, code, dbguard) in one line.
func printSpan(w io.Writer, indent string, s sdktrace.ReadOnlySpan) {
	status := ""
	if s.Status().Code == codes.Error {
		status = "  [error]"
	}
	fmt.Fprintf(w, "%sspan %s%s", indent, s.Name(), status)
	last := ""
	for _, a := range s.Attributes() {
		namespace, _, _ := strings.Cut(string(a.Key), ".")
		if namespace != last {
			fmt.Fprintf(w, "\n%s ", indent)
			last = namespace
		}
		fmt.Fprintf(w, " %s=%s", a.Key, quoted(a.Value))
	}
	fmt.Fprintln(w)
}

func quoted(v attribute.Value) string {
	if v.Type() == attribute.STRING {
		return strconv.Quote(v.AsString())
	}
	return v.String()
}
