package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel"

	"repomill/pipelines/command"
	"repomill/pipelines/tracing"
	"repomill/schemas/catalog"
)

// traceGrace is how long the end of a process waits for the export of its last traces.
const traceGrace = 5 * time.Second

// startTraces exports traces of uploads, if the environment asks for it as OpenTelemetry specifies: by OTEL_TRACES_EXPORTER=otlp, or
// by an endpoint. stop is never nil.
func startTraces(ctx context.Context, service string, log *slog.Logger) (stop func(), err error) {
	asked, err := tracesAsked(os.Getenv)
	if err != nil || !asked {
		return func() {}, err
	}
	end, err := tracing.Start(ctx, service, command.Version())
	if err != nil {
		return func() {}, command.Usage("%w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are not exported", "error", err) }))
	log.Info("traces are exported", "service", service)
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceGrace)
		defer cancel()
		if err := end(ctx); err != nil {
			log.Warn("the last traces are not exported", "error", err)
		}
	}, nil
}

// tracesAsked reports whether an environment asks for traces.
func tracesAsked(env func(string) string) (bool, error) {
	endpoint := env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") + env("OTEL_EXPORTER_OTLP_ENDPOINT")
	exporter := env("OTEL_TRACES_EXPORTER")
	switch {
	case env("OTEL_SDK_DISABLED") == "true", exporter == "none", exporter == "" && endpoint == "":
		return false, nil
	case exporter != "" && exporter != "otlp":
		return false, command.Usage("OTEL_TRACES_EXPORTER=%s: use otlp or none", exporter)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := env(name); p != "" && p != "http/protobuf" {
			return false, command.Usage("%s=%s: use http/protobuf, which most collectors take on port 4318", name, p)
		}
	}
	return true, nil
}

// traceAccepted begins the trace of an upload that the API has put into staging.
func traceAccepted(u catalog.Upload, began time.Time) {
	tracing.Span(u, "receive", began, time.Now(), nil)
}
