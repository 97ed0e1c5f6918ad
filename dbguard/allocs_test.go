package dbguard_test

import (
	"testing"

	"go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/dbguard/dbguard-go/dbguard"
)

// silent is a guard without observers.
func silent(t testing.TB) *dbguard.Guard {
	return newGuard(t, dbguard.Policy{TracerProvider: tracenoop.NewTracerProvider(), MeterProvider: noop.NewMeterProvider()})
}

// A bounded write that nobody traces costs this much and no more; the race
// detector does not change it.
func TestAllocationCeiling(t *testing.T) {
	const ceiling = 8
	g, ctx, op := silent(t), atMost(1), deleteFrom("users")
	got := testing.AllocsPerRun(200, func() {
		if err := run(ctx, g, op, rows(1)); err != nil {
			t.Fatal(err)
		}
	})
	if got > ceiling {
		t.Errorf("%v allocations for a bounded write, want at most %d", got, ceiling)
	}
}

func BenchmarkBoundedWrite(b *testing.B) {
	g, ctx, op := silent(b), atMost(1), deleteFrom("users")
	b.ReportAllocs()
	for b.Loop() {
		if err := run(ctx, g, op, rows(1)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRefusal(b *testing.B) {
	g, op := silent(b), deleteFrom("users")
	b.ReportAllocs()
	for b.Loop() {
		if run(background, g, op, rows(1)) == nil {
			b.Fatal("not refused")
		}
	}
}
