package pipelines

import (
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"repomill/pipelines/tracing"
	"repomill/schemas/catalog"
)

// traceVerdict ends the trace of an upload that has its final verdict.
func traceVerdict(u catalog.Upload, v catalog.Verdict) {
	if !tracing.Enabled() || v.Finished == nil {
		return
	}
	var err error
	if v.State == catalog.Rejected {
		err = errors.New(string(v.Reason))
	}
	tracing.Span(u, tracing.Root, v.Received, *v.Finished, err, attribute.String("repomill.outcome", string(v.State)),
		attribute.String("repomill.sha256", v.SHA256), attribute.String("repomill.package", v.Package))
}

// tracePublish adds the publish of a release to the traces of the uploads that it ended.
func tracePublish(finished []catalog.Upload, r catalog.Release, start, end time.Time) {
	if !tracing.Enabled() {
		return
	}
	for _, u := range finished {
		tracing.Span(u, "publish", start, end, nil, attribute.String("repomill.release", r.String()))
	}
}
