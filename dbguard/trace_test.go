package dbguard_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/dbguard/dbguard-go/dbguard"
)

var siteOf = regexp.MustCompile(`door_test\.go:\d+`)

// telemetry is a guard whose spans, metrics and log lines are kept in memory.
type telemetry struct {
	*dbguard.Guard
	spans  *tracetest.InMemoryExporter
	reader *sdkmetric.ManualReader
	log    *bytes.Buffer
}

func newTelemetry(t *testing.T, p dbguard.Policy) *telemetry {
	t.Helper()
	tel := &telemetry{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader(), log: &bytes.Buffer{}}
	p.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(tel.spans))
	p.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(tel.reader))
	p.Logger = slog.New(slog.NewTextHandler(tel.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	tel.Guard = newGuard(t, p)
	return tel
}

// attributes are those of the only span, which is then forgotten; the caller's
// line is left out, its file is cut to its name.
func (tel *telemetry) only(t *testing.T) (tracetest.SpanStub, map[string]any) {
	t.Helper()
	spans := tel.spans.GetSpans()
	require.Len(t, spans, 1)
	tel.spans.Reset()
	attrs := map[string]any{}
	for _, a := range spans[0].Attributes {
		attrs[string(a.Key)] = a.Value.AsInterface()
	}
	require.Len(t, attrs, len(spans[0].Attributes), "an attribute is set twice")
	require.Positive(t, attrs["code.line.number"])
	delete(attrs, "code.line.number")
	attrs["code.file.path"] = filepath.Base(attrs["code.file.path"].(string))
	return spans[0], attrs
}

// of are the attributes that every span of an operation has, and more.
func of(op dbguard.Op, more map[string]any) map[string]any {
	attrs := map[string]any{
		"db.system.name": "sqlite", "db.namespace": "shop",
		"db.operation.name": op.Name, "db.query.summary": op.Summary, "db.query.text": op.Text,
		"code.file.path": "door_test.go", "code.function.name": "github.com/dbguard/dbguard-go/dbguard_test.runIn",
	}
	if len(op.Acts) == 1 {
		attrs["db.collection.name"] = op.Acts[0].Object
	}
	maps.Copy(attrs, more)
	return attrs
}

func TestSpanOfADoneOperation(t *testing.T) {
	tel := newTelemetry(t, dbguard.Policy{})
	ctx := dbguard.Allow(atMost(5), "fixtures", dbguard.AllRows("users"))
	require.NoError(t, run(ctx, tel.Guard, deleteAll("users"), rows(3)))
	span, attrs := tel.only(t)
	require.Equal(t, "DELETE users", span.Name)
	require.Equal(t, trace.SpanKindClient, span.SpanKind)
	require.Equal(t, codes.Unset, span.Status.Code)
	require.Empty(t, span.Events)
	require.Equal(t, "github.com/dbguard/dbguard-go/dbguard", span.InstrumentationScope.Name)
	require.True(t, strings.HasPrefix(span.InstrumentationScope.SchemaURL, "https://opentelemetry.io/schemas/1."))
	require.Equal(t, of(deleteAll("users"), map[string]any{
		"dbguard.outcome": "done", "dbguard.effect": "applied", "dbguard.limit": int64(5), "dbguard.rows": int64(3),
		"dbguard.reason": "fixtures",
	}), attrs)
}

func TestSpanOfARefusedOperation(t *testing.T) {
	tel := newTelemetry(t, dbguard.Policy{})
	err := run(background, tel.Guard, deleteAll("users"), rows(0))
	span, attrs := tel.only(t)
	require.Equal(t, of(deleteAll("users"), map[string]any{
		"dbguard.outcome": "refused", "dbguard.effect": "none", "dbguard.rule": "DG201",
		"dbguard.rules": []string{"DG201", "DG202"}, "error.type": "DG201",
	}), attrs)
	requireError(t, span, err)
}

func TestSpanOfAnUndoneOperation(t *testing.T) {
	tel := newTelemetry(t, dbguard.Policy{})
	err := run(atMost(1), tel.Guard, deleteFrom("users"), rows(2))
	span, attrs := tel.only(t)
	require.Equal(t, of(deleteFrom("users"), map[string]any{
		"dbguard.outcome": "undone", "dbguard.effect": "undone", "dbguard.rule": "DG204", "dbguard.rules": []string{"DG204"},
		"dbguard.limit": int64(1), "dbguard.rows": int64(2), "error.type": "DG204",
	}), attrs)
	requireError(t, span, err)
}

func TestSpanOfAFailedOperation(t *testing.T) {
	tel := newTelemetry(t, dbguard.Policy{})
	failure := &driverError{"constraint failed"}
	err := runTo(tel.Guard, deleteFrom("users"), dbguard.EffectUndone, failure)
	span, attrs := tel.only(t)
	require.Equal(t, of(deleteFrom("users"), map[string]any{
		"dbguard.outcome": "failed", "dbguard.effect": "undone", "dbguard.limit": int64(1),
		"code.function.name": "github.com/dbguard/dbguard-go/dbguard_test.runTo", "code.file.path": "trace_test.go",
		"error.type": "*dbguard_test.driverError",
	}), attrs)
	requireError(t, span, err)
}

func TestSpanOfAnUnknownOperation(t *testing.T) {
	tel := newTelemetry(t, dbguard.Policy{})
	err := runTo(tel.Guard, deleteFrom("users"), dbguard.EffectUnknown, &driverError{"broken pipe"})
	span, attrs := tel.only(t)
	require.Equal(t, of(deleteFrom("users"), map[string]any{
		"dbguard.outcome": "unknown", "dbguard.effect": "unknown", "dbguard.limit": int64(1),
		"dbguard.rule": "DG208", "dbguard.rules": []string{"DG208"},
		"code.function.name": "github.com/dbguard/dbguard-go/dbguard_test.runTo", "code.file.path": "trace_test.go",
		"error.type": "DG208",
	}), attrs)
	requireError(t, span, err)
}

type driverError struct{ text string }

func (e *driverError) Error() string { return e.text }

// runTo begins an operation and ends it without a count.
func runTo(g *dbguard.Guard, op dbguard.Op, effect dbguard.Effect, err error) error {
	o, refused := g.Begin(atMost(1), op, nil)
	if refused != nil {
		return refused
	}
	return o.End(effect, err)
}

func requireError(t *testing.T, span tracetest.SpanStub, err error) {
	t.Helper()
	require.Equal(t, codes.Error, span.Status.Code)
	require.Equal(t, err.Error(), span.Status.Description)
	require.Len(t, span.Events, 1)
	require.Equal(t, "exception", span.Events[0].Name)
	require.Contains(t, span.Events[0].Attributes, attribute.String("exception.message", err.Error()))
}

func TestSpanOfARolledBackTransaction(t *testing.T) {
	tel := newTelemetry(t, dbguard.Policy{})
	l := tel.NewLedger()
	require.NoError(t, runIn(atMost(1), tel.Guard, deleteFrom("users"), rows(1), l))
	tel.spans.Reset()
	require.NoError(t, l.End(background, dbguard.EffectUndone, nil))
	span, attrs := tel.only(t)
	require.Equal(t, "ROLLBACK", span.Name)
	require.Equal(t, "undone", attrs["dbguard.outcome"])
	require.EqualValues(t, 1, attrs["dbguard.rows"])
	require.Equal(t, codes.Unset, span.Status.Code, "the caller asked for it")
}

// What several tables or none are involved in names no collection; what cannot
// be read has neither operation nor summary.
func TestAttributesThatAreUnknownAreLeftOut(t *testing.T) {
	tel := newTelemetry(t, dbguard.Policy{})
	two := dbguard.Op{System: "mysql", Name: "DELETE", Summary: "DELETE a b", Text: "DELETE a, b …", Statements: 1, Acts: []dbguard.Act{
		{Verb: dbguard.Delete, Object: "a"}, {Verb: dbguard.Delete, Object: "b"},
	}}
	require.NoError(t, run(atMost(1), tel.Guard, two, rows(1)))
	_, attrs := tel.only(t)
	require.NotContains(t, attrs, "db.collection.name")
	require.NotContains(t, attrs, "db.namespace")

	require.Error(t, run(atMost(1), tel.Guard, dbguard.Op{System: "mysql", Text: "¿"}, rows(0)))
	span, attrs := tel.only(t)
	require.Equal(t, "mysql", span.Name)
	for _, key := range []string{"db.operation.name", "db.query.summary", "db.collection.name"} {
		require.NotContains(t, attrs, key)
	}
}

// The operation's span is the child of the caller's and the parent of what the
// driver does.
func TestSpansNest(t *testing.T) {
	tel := newTelemetry(t, dbguard.Policy{})
	tracer := sdktrace.NewTracerProvider().Tracer("test")
	ctx, parent := tracer.Start(atMost(1), "request")
	o, err := tel.Begin(ctx, deleteFrom("users"), nil)
	require.NoError(t, err)
	inner := trace.SpanContextFromContext(o.Context())
	require.NoError(t, o.End(dbguard.EffectApplied, nil))
	span := tel.spans.GetSpans()[0]
	require.Equal(t, parent.SpanContext().SpanID(), span.Parent.SpanID())
	require.Equal(t, inner.SpanID(), span.SpanContext.SpanID())
}

func TestAbandonedSpansAreNotExported(t *testing.T) {
	tel := newTelemetry(t, dbguard.Policy{})
	o, err := tel.Begin(atMost(1), deleteFrom("users"), nil)
	require.NoError(t, err)
	o.Abandon()
	require.Empty(t, tel.spans.GetSpans())
	require.Empty(t, tel.metrics(t))
	require.Empty(t, tel.log.String())
}

// metrics are the points of all instruments as text.
func (tel *telemetry) metrics(t *testing.T) []string {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, tel.reader.Collect(context.Background(), &all))
	var points []string
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum := m.Data.(metricdata.Sum[int64])
			require.True(t, sum.IsMonotonic)
			for _, p := range sum.DataPoints {
				text := attribute.NewSet(append(p.Attributes.ToSlice(), attribute.Int64("value", p.Value))...)
				points = append(points, m.Name+" "+m.Unit+" "+text.Encoded(attribute.DefaultEncoder()))
			}
		}
	}
	slices.Sort(points)
	return points
}

func TestMetrics(t *testing.T) {
	tel := newTelemetry(t, dbguard.Policy{})
	g := tel.Guard
	require.NoError(t, run(atMost(9), g, deleteFrom("users"), rows(3)))
	require.NoError(t, run(atMost(9), g, deleteFrom("posts"), rows(4)))
	require.NoError(t, run(atMost(9), g, deleteFrom("posts"), rows(0)))
	require.Error(t, run(atMost(1), g, deleteFrom("users"), rows(2)))
	require.Error(t, run(background, g, deleteFrom("users"), rows(0)))
	require.Error(t, run(background, g, dropTable("users"), rows(0)))
	l := g.NewLedger()
	require.NoError(t, runIn(atMost(100), g, deleteFrom("users"), rows(50), l))
	require.NoError(t, l.End(background, dbguard.EffectUndone, nil))
	require.NoError(t, runIn(atMost(100), g, deleteFrom("users"), rows(20), l))
	require.NoError(t, l.End(background, dbguard.EffectApplied, nil))
	require.Equal(t, []string{
		"dbguard.operations {operation} db.system.name=sqlite,dbguard.outcome=done,value=5",
		"dbguard.operations {operation} db.system.name=sqlite,dbguard.outcome=refused,dbguard.rule=DG102,value=1",
		"dbguard.operations {operation} db.system.name=sqlite,dbguard.outcome=refused,dbguard.rule=DG201,value=1",
		"dbguard.operations {operation} db.system.name=sqlite,dbguard.outcome=undone,dbguard.rule=DG204,value=1",
		"dbguard.operations {operation} db.system.name=sqlite,dbguard.outcome=undone,value=1",
		"dbguard.rows {row} db.system.name=sqlite,value=27",
	}, tel.metrics(t))
}

func TestLogLines(t *testing.T) {
	tel := newTelemetry(t, dbguard.Policy{Levels: map[dbguard.RuleID]dbguard.Level{dbguard.Drop: dbguard.Warn}})
	g := tel.Guard
	line := func() string {
		defer tel.log.Reset()
		return siteOf.ReplaceAllString(strings.TrimSpace(tel.log.String()), "door_test.go:N")
	}
	require.NoError(t, run(atMost(1), g, deleteFrom("users"), rows(1)))
	require.Empty(t, line(), "what is simply done makes no line")

	require.Error(t, run(atMost(1), g, deleteFrom("users"), rows(2)))
	require.Equal(t, `level=WARN msg="dbguard: undone" operation="DELETE on users" effect=undone rule=DG204 limit=1 rows=2 site=door_test.go:N `+
		`error="door_test.go:N: DG204 OverLimit: DELETE on users would change more than 1 row; nothing was changed. Raise the bound: dbguard.AtMost(ctx, n)."`, line())

	require.NoError(t, run(dbguard.Allow(background, "test", dbguard.Opaque()), g, dropTable("users"), rows(0)))
	require.Equal(t, `level=WARN msg="dbguard: done" operation="DROP TABLE on users" effect=applied rule=DG102 rows=0 site=door_test.go:N `+
		`finding="DROP TABLE on users would lose it for good"`, line())

	require.Error(t, runTo(g, deleteFrom("users"), dbguard.EffectUnknown, errors.New("broken pipe")))
	require.True(t, strings.HasPrefix(line(), `level=ERROR msg="dbguard: unknown" operation="DELETE on users" effect=unknown rule=DG208 limit=1 site=`))

	l := g.NewLedger()
	require.NoError(t, runIn(atMost(1), g, deleteFrom("users"), rows(1), l))
	require.NoError(t, l.End(background, dbguard.EffectUndone, nil))
	require.True(t, strings.HasPrefix(line(), `level=INFO msg="dbguard: undone" operation=ROLLBACK effect=undone rows=1 site=`))
}

// Without providers in the policy the guard reports to OpenTelemetry's global ones.
func TestGlobalProviders(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	require.NoError(t, run(atMost(1), newGuard(t, dbguard.Policy{}), deleteFrom("users"), rows(1)))
	require.Len(t, spans.GetSpans(), 1)
}
