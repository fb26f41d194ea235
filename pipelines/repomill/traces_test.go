package main_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"repomill/pipelines/tracing"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// An upload has one trace, from its arrival at the API until clients can install it.
func TestTraceOfAnUpload(t *testing.T) {
	t.Parallel()
	c := &traceCollector{spans: map[string]*otlp.Span{}}
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	data := proctest.OpenDir(t)
	s := restartUnder(t, []string{"env", "OTEL_EXPORTER_OTLP_ENDPOINT=" + srv.URL, "OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment=test"}, data)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(s.does(t, 0, "", "token", "create", "acme", "ci", "--scope", "push,manage").Stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	s.does(t, 0, "", "repo", "create", "acme/tools", "--distribution", "ubuntu/jammy")
	hello := newDEB(t, debtest.Spec{Arch: "amd64"})
	a := repomill(t, "push", "--wait", "--json", "--server", s.url, "--token-file", token, "acme/tools/ubuntu/jammy", hello.path)
	vs := verdicts(t, a.Stdout)
	if len(vs) != 1 {
		t.Fatal(a)
	}
	id := tracing.TraceID(catalog.Upload{Object: vs[0].Object, Generation: vs[0].Generation})
	spans := proctest.Until(t, "the trace has all spans", func() map[string]*otlp.Span { return c.of(id) },
		func(spans map[string]*otlp.Span) bool { return len(spans) >= 4 })
	root := spans[tracing.Root]
	if root == nil || len(root.ParentSpanId) > 0 || attributeOf(root, "repomill.outcome") != "published" {
		t.Fatalf("the root is %v", root)
	}
	for _, step := range []string{"receive", "store", "publish"} {
		span := spans[step]
		if span == nil || string(span.ParentSpanId) != string(root.SpanId) || span.EndTimeUnixNano < span.StartTimeUnixNano {
			t.Errorf("%s is %v, want a part of %x", step, span, root.SpanId)
		}
	}
	if got := attributeOf(spans["publish"], "repomill.release"); got != "acme/tools/ubuntu/jammy" {
		t.Errorf("the publish is of %q", got)
	}
	if c.service != "repomill" || c.environment != "test" {
		t.Errorf("the service is %q in %q", c.service, c.environment)
	}
}

// A traceCollector takes traces as collectors do, by OTLP over HTTP.
type traceCollector struct {
	mu                   sync.Mutex
	spans                map[string]*otlp.Span // by trace and name
	service, environment string
}

func (c *traceCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
		http.Error(w, "no traces", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.ResourceSpans {
		for _, a := range resource.GetResource().GetAttributes() {
			switch a.Key {
			case "service.name":
				c.service = a.Value.GetStringValue()
			case "deployment.environment":
				c.environment = a.Value.GetStringValue()
			}
		}
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans[hex.EncodeToString(s.TraceId)+" "+s.Name] = s
			}
		}
	}
}

// of returns the spans of a trace, by name.
func (c *traceCollector) of(id string) map[string]*otlp.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	spans := map[string]*otlp.Span{}
	for key, s := range c.spans {
		if name, ok := strings.CutPrefix(key, id+" "); ok {
			spans[name] = s
		}
	}
	return spans
}

func attributeOf(s *otlp.Span, key string) string {
	for _, a := range s.GetAttributes() {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}
