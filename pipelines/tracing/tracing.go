// Package tracing makes one OpenTelemetry trace of each upload, from its arrival at the API until clients can install it. API
// and workers carry nothing to each other for it: the ID of the trace is a digest of the upload's name.
package tracing

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"repomill/schemas/catalog"
)

// Root is the name of the span that has all others of an upload in it.
const Root = "upload"

// current is the tracer of the process; nil while there is none.
var current atomic.Pointer[api.Tracer]

// Start exports traces by OTLP over HTTP, until stop is called, which exports the last ones. The SDK reads OTEL_EXPORTER_OTLP_*,
// OTEL_SERVICE_NAME (default: service), OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and OTEL_BSP_*. A process has one tracer.
func Start(ctx context.Context, service, version string) (stop func(context.Context) error, err error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	res, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", service), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(res), trace.WithIDGenerator(ids{}))
	tracer := provider.Tracer("repomill")
	current.Store(&tracer)
	return func(ctx context.Context) error {
		current.Store(nil)
		return provider.Shutdown(ctx)
	}, nil
}

// Span records that a step of an upload took from start to end; [Root] is all of it. err is why it failed. Without a tracer it
// does nothing. It is called concurrently.
func Span(u catalog.Upload, name string, start, end time.Time, err error, attributes ...attribute.KeyValue) {
	tracer := current.Load()
	if tracer == nil {
		return
	}
	// The root has the same ID in all processes, each of which samples by it. It is exported where it ends.
	ctx, span := (*tracer).Start(context.WithValue(context.Background(), uploadKey{}, u.String()), Root, api.WithTimestamp(start), api.WithSpanKind(api.SpanKindConsumer))
	if name != Root {
		_, span = (*tracer).Start(ctx, name, api.WithTimestamp(start))
	}
	span.SetAttributes(append(attributes, attribute.String("repomill.upload", u.String()))...)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End(api.WithTimestamp(end))
}

// Enabled reports whether spans are recorded.
func Enabled() bool { return current.Load() != nil }

// TraceID returns the ID of the trace of an upload, to look for it.
func TraceID(u catalog.Upload) string { return traceID(u.String()).String() }

type uploadKey struct{}

// ids makes the IDs of a trace and of its root from the name of the upload in the context.
type ids struct{}

// NewIDs implements the SDK's IDGenerator.
func (ids) NewIDs(ctx context.Context) (api.TraceID, api.SpanID) {
	name, _ := ctx.Value(uploadKey{}).(string) // Span sets it
	sum := sha256.Sum256([]byte("root of " + name))
	return traceID(name), api.SpanID(sum[:8])
}

// NewSpanID implements the SDK's IDGenerator.
func (ids) NewSpanID(context.Context, api.TraceID) (id api.SpanID) {
	rand.Read(id[:]) //nolint:errcheck // it never fails
	return id
}

func traceID(name string) api.TraceID {
	sum := sha256.Sum256([]byte(name))
	return api.TraceID(sum[:16])
}
