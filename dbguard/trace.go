package dbguard

import (
	"context"
	"errors"
	"log/slog"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.37.0"
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
	meter := mp.Meter(scopeName)
	operations, err1 := meter.Int64Counter("dbguard.operations", metric.WithUnit("{operation}"),
		metric.WithDescription("Destructive operations, by outcome and rule."))
	changed, err2 := meter.Int64Counter("dbguard.rows", metric.WithUnit("{row}"),
		metric.WithDescription("Existing rows deleted or changed."))
	return &tracer{
		spans: tp.Tracer(scopeName), operations: operations, rows: changed,
		logger: p.Logger, observers: p.Observers,
	}, errors.Join(err1, err2)
}

// span is one operation's, or nothing.
type span struct{ trace.Span }

func (t *tracer) start(ctx context.Context, op *Op) (context.Context, span) {
	name := op.Summary
	if name == "" {
		name = op.Name
	}
	ctx, s := t.spans.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient))
	if s.IsRecording() {
		s.SetAttributes(opAttributes(op)...)
	}
	return ctx, span{s}
}

// opAttributes are the stable database attributes of the conventions.
func opAttributes(op *Op) []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		semconv.DBSystemNameKey.String(op.System),
		semconv.DBOperationName(op.Name),
		semconv.DBQuerySummary(op.Summary),
		semconv.DBQueryText(op.Text),
	}
	if op.Namespace != "" {
		attrs = append(attrs, semconv.DBNamespace(op.Namespace))
	}
	if objects := op.objects(); len(objects) == 1 {
		attrs = append(attrs, semconv.DBCollectionName(objects[0]))
	}
	return attrs
}

func (s span) place(site callsite.Site) {
	if site.Line == 0 || !s.IsRecording() {
		return
	}
	s.SetAttributes(semconv.CodeFilePath(site.File), semconv.CodeLineNumber(site.Line), semconv.CodeFunctionName(site.Function))
}

func (s span) finish(e *Event) {
	if s.IsRecording() {
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
			s.SetAttributes(semconv.ErrorTypeKey.String(errorType(e)))
		}
	}
	s.End()
}

// discard drops the span of an operation that did not happen: a span that is
// never ended is never exported.
func (s span) discard() {}

func ruleIDs(findings []Finding) []string {
	ids := make([]string, len(findings))
	for i, f := range findings {
		ids[i] = string(f.Rule)
	}
	return ids
}

// errorType is of low cardinality, as the conventions ask.
func errorType(e *Event) string {
	var v *Violation
	if errors.As(e.Err, &v) {
		return string(v.Rule)
	}
	return string(e.Outcome)
}

// tell ends the span and informs metrics, log and observers.
func (g *Guard) tell(ctx context.Context, s span, e Event) {
	s.finish(&e)
	t := g.tracer
	attrs := metric.WithAttributes(
		semconv.DBSystemNameKey.String(e.Op.System),
		outcomeKey.String(string(e.Outcome)),
		ruleKey.String(string(e.Rule)),
	)
	t.operations.Add(ctx, 1, attrs)
	if e.Outcome == OutcomeDone && e.Rows > 0 {
		t.rows.Add(ctx, e.Rows, metric.WithAttributes(semconv.DBSystemNameKey.String(e.Op.System)))
	}
	if t.logger != nil && (e.Outcome != OutcomeDone || len(e.Findings) > 0) {
		t.log(ctx, &e)
	}
	for _, o := range t.observers {
		o.Observe(ctx, e)
	}
}

func (t *tracer) log(ctx context.Context, e *Event) {
	level := slog.LevelWarn
	if e.Outcome == OutcomeUnknown {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("outcome", string(e.Outcome)),
		slog.String("operation", e.Op.String()),
		slog.String("rule", string(e.Rule)),
		slog.String("limit", limitText(e.Limit)),
		slog.Int64("rows", e.Rows),
		slog.String("effect", e.Effect.String()),
		slog.String("site", e.Site),
	}
	if e.Reason != "" {
		attrs = append(attrs, slog.String("reason", e.Reason))
	}
	if len(e.Findings) > 0 {
		attrs = append(attrs, slog.String("finding", e.Findings[0].Message))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	t.logger.LogAttrs(ctx, level, "dbguard: "+string(e.Outcome), attrs...)
}
