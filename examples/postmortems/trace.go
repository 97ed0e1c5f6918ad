package main

import (
	"context"
	"fmt"
	"io"
	"slices"
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

// printSpan writes a span in a few lines: its name and status, then an
// attribute a line, sorted.
func printSpan(w io.Writer, indent string, s sdktrace.ReadOnlySpan) {
	status := ""
	if s.Status().Code == codes.Error {
		status = "  [error]"
	}
	fmt.Fprintf(w, "%sspan %s%s\n", indent, s.Name(), status)
	attrs := slices.Clone(s.Attributes())
	slices.SortFunc(attrs, func(a, b attribute.KeyValue) int { return strings.Compare(string(a.Key), string(b.Key)) })
	for _, a := range attrs {
		fmt.Fprintf(w, "%s  %-22s %s\n", indent, a.Key, a.Value.Emit())
	}
}
