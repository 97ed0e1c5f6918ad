package dbguard

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// report ends the span and informs metrics, log and observers.
func (g *Guard) report(ctx context.Context, s span, e Event) {
	s.finish(&e)
	t := g.tracer
	t.addOperation(ctx, &e)
	if t.logger != nil && (e.Outcome != OutcomeDone || len(e.Findings) > 0) {
		t.log(ctx, &e)
	}
	for _, o := range t.observers {
		o.Observe(ctx, e)
	}
}

// addOperation counts one operation by outcome and, if it has one, rule.
func (t *tracer) addOperation(ctx context.Context, e *Event) {
	if !t.operations.Enabled(ctx) {
		return
	}
	attrs := []attribute.KeyValue{
		semconv.DBSystemNameKey.String(e.Op.System),
		outcomeKey.String(string(e.Outcome)),
	}
	if e.Rule != "" {
		attrs = append(attrs, ruleKey.String(string(e.Rule)))
	}
	t.operations.Add(ctx, 1, metric.WithAttributes(attrs...))
}

// addRows counts rows whose change is final.
func (t *tracer) addRows(ctx context.Context, system string, rows int64) {
	if rows > 0 && t.rows.Enabled(ctx) {
		t.rows.Add(ctx, rows, metric.WithAttributes(semconv.DBSystemNameKey.String(system)))
	}
}

// logLevel is the level of the log line: a rollback by the caller is not a warning.
func logLevel(e *Event) slog.Level {
	switch {
	case e.Outcome == OutcomeUnknown:
		return slog.LevelError
	case e.TransactionEnd:
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

func (t *tracer) log(ctx context.Context, e *Event) {
	attrs := []slog.Attr{
		slog.String("operation", e.Op.String()),
		slog.String("effect", e.Effect.String()),
	}
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	number := func(key string, value int64) {
		if value >= 0 {
			attrs = append(attrs, slog.Int64(key, value))
		}
	}
	text("rule", string(e.Rule))
	number("limit", e.Limit)
	number("rows", e.Rows)
	text("site", e.Site)
	text("reason", e.Reason)
	if e.Err != nil {
		text("error", e.Err.Error())
	} else if len(e.Findings) > 0 {
		text("finding", e.Findings[0].Message)
	}
	t.logger.LogAttrs(ctx, logLevel(e), "dbguard: "+string(e.Outcome), attrs...)
}
