package tracing_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"repomill/pipelines/tracing"
	"repomill/schemas/catalog"
)

// The ID is the beginning of the SHA-256 of the name, so that a person with a line of the log finds the trace.
func TestTraceID(t *testing.T) {
	u := catalog.Upload{Bucket: "file:///staging", Object: "acme/tools/ubuntu/jammy/hello.deb", Generation: "1"}
	const want = "928ece4d585cb22965f273240b7430b2"
	if got := tracing.TraceID(u); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWithoutATracerNothingIsRecorded(t *testing.T) {
	if tracing.Enabled() {
		t.Error("there is a tracer")
	}
	tracing.Span(catalog.Upload{Object: "a"}, "store", time.Now(), time.Now(), nil)
}

// Of a trace that is sampled, all processes export all spans; of another one, none.
func TestAllStepsOfAnUploadAreSampledTogether(t *testing.T) {
	var mu sync.Mutex
	spans := map[string][]string{} // names, by trace
	var failed []*otlp.Span
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err = errors.Join(err, proto.Unmarshal(body, &request)); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, s := range scope.Spans {
					id := fmt.Sprintf("%x", s.TraceId)
					spans[id] = append(spans[id], s.Name)
					if s.GetStatus().GetCode() == otlp.Status_STATUS_CODE_ERROR {
						failed = append(failed, s)
					}
				}
			}
		}
	}))
	defer srv.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", srv.URL)
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
	const uploads = 200
	for _, process := range []string{"api", "worker"} {
		stop, err := tracing.Start(t.Context(), process, "1")
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		for i := range uploads {
			u := catalog.Upload{Object: fmt.Sprintf("%d.deb", i), Generation: "1"}
			if process == "api" {
				tracing.Span(u, "receive", now, now, nil)
				continue
			}
			tracing.Span(u, "store", now, now, errors.New("truncated"))
			tracing.Span(u, tracing.Root, now, now, nil)
		}
		if err := stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(spans) < uploads/10 || len(spans) > uploads*9/10 {
		t.Errorf("%d of %d traces are exported", len(spans), uploads)
	}
	for id, names := range spans {
		slices.Sort(names)
		if !slices.Equal(names, []string{"receive", "store", tracing.Root}) {
			t.Errorf("trace %s has %q", id, names)
		}
	}
	if len(failed) != len(spans) || failed[0].Name != "store" || failed[0].Status.Message != "truncated" {
		t.Errorf("%d spans failed, of %d traces: %v", len(failed), len(spans), failed[:min(1, len(failed))])
	}
}
