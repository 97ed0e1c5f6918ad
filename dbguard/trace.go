package dbguard

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/dbguard/dbguard-go/internal/callsite"
)

// scopeName is the instrumentation scope of spans and metrics.
const scopeName = "github.com/dbguard/dbguard-go/dbguard"

// The attributes that the conventions have no name for.
const (
	ruleKey    = attribute.Key("dbguard.rule")
	rulesKey   = attribute.Key("dbguard.rules")
	outcomeKey = attribute.Key("dbguard.outcome")
	effectKey  = attribute.Key("dbguard.effect")
	limitKey   = attribute.Key("dbguard.limit")
	rowsKey    = attribute.Key("dbguard.rows")
	reasonKey  = attribute.Key("dbguard.reason")
)

// tracer makes the spans, metrics and log lines of a Guard.
type tracer struct {
	spans      trace.Tracer
	operations metric.Int64Counter
	rows       metric.Int64Counter
	logger     *slog.Logger
	observers  []Observer
}

func newTracer(p *Policy) (*tracer, error) {
	tp, mp := p.TracerProvider, p.MeterProvider
	if tp == nil {
		tp = otel.GetTracerProvider()
	}
	if mp == nil {
		mp = otel.GetMeterProvider()
	}
	meter := mp.Meter(scopeName, metric.WithSchemaURL(semconv.SchemaURL))
	operations, err1 := meter.Int64Counter("dbguard.operations", metric.WithUnit("{operation}"),
		metric.WithDescription("Destructive operations, by outcome and rule."))
	rows, err2 := meter.Int64Counter("dbguard.rows", metric.WithUnit("{row}"),
		metric.WithDescription("Existing rows deleted or changed for good: those of a transaction count when it commits."))
	return &tracer{
		spans:      tp.Tracer(scopeName, trace.WithSchemaURL(semconv.SchemaURL)),
		operations: operations, rows: rows, logger: p.Logger, observers: p.Observers,
	}, errors.Join(err1, err2)
}

// span is one operation's.
type span struct{ trace.Span }

var asClient = trace.WithSpanKind(trace.SpanKindClient)

// start gives the span its name and attributes at once, as the conventions ask
// for the sake of samplers.
func (t *tracer) start(ctx context.Context, op *Op, began time.Time) (context.Context, span) {
	options := []trace.SpanStartOption{asClient, trace.WithAttributes(opAttributes(op)...)}
	if !began.IsZero() {
		options = append(options, trace.WithTimestamp(began))
	}
	ctx, s := t.spans.Start(ctx, spanName(op), options...)
	return ctx, span{s}
}

// spanName follows the conventions: the summary, else the operation, else the system.
func spanName(op *Op) string {
	switch {
	case op.Summary != "":
		return op.Summary
	case op.Name != "":
		return op.Name
	}
	return op.System
}

// opAttributes are the stable database attributes of the conventions.
func opAttributes(op *Op) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 6)
	add := func(key attribute.Key, value string) {
		if value != "" {
			attrs = append(attrs, key.String(value))
		}
	}
	add(semconv.DBSystemNameKey, op.System)
	add(semconv.DBNamespaceKey, op.Namespace)
	add(semconv.DBOperationNameKey, op.Name)
	add(semconv.DBCollectionNameKey, op.onlyObject())
	add(semconv.DBQuerySummaryKey, op.Summary)
	add(semconv.DBQueryTextKey, op.Text)
	return attrs
}

func (s span) setSite(site callsite.Site) {
	if site.Line == 0 || !s.IsRecording() {
		return
	}
	s.SetAttributes(semconv.CodeFilePath(site.File), semconv.CodeLineNumber(site.Line), semconv.CodeFunctionName(site.Function))
}

func (s span) finish(e *Event) {
	defer s.End()
	if !s.IsRecording() {
		return
	}
	s.SetAttributes(outcomeKey.String(string(e.Outcome)), effectKey.String(e.Effect.String()))
	if e.Limit >= 0 {
		s.SetAttributes(limitKey.Int64(e.Limit))
	}
	if e.Rows >= 0 {
		s.SetAttributes(rowsKey.Int64(e.Rows))
	}
	if e.Reason != "" {
		s.SetAttributes(reasonKey.String(e.Reason))
	}
	if len(e.Findings) > 0 {
		s.SetAttributes(ruleKey.String(string(e.Rule)), rulesKey.StringSlice(ruleIDs(e.Findings)))
	}
	if e.Err != nil {
		s.RecordError(e.Err)
		s.SetStatus(codes.Error, e.Err.Error())
		s.SetAttributes(semconv.ErrorType(e.Err))
	}
}

// ruleIDs are the distinct rules of findings, in their order.
func ruleIDs(findings []Finding) []string {
	var ids []string
	for _, f := range findings {
		if id := string(f.Rule); len(ids) == 0 || ids[len(ids)-1] != id {
			ids = append(ids, id)
		}
	}
	return ids
}
