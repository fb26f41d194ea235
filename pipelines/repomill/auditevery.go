package main

import (
	"context"
	"log/slog"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/publish/check"
	"repomill/publish/replica"
)

type replicaReport = replica.Report

// auditMetrics are the metrics of an auditor that goes on.
type auditMetrics struct {
	registry *prometheus.Registry
	objects  *prometheus.CounterVec
	bytes    prometheus.Counter
	success  prometheus.Gauge
	replica  *replicaMetrics
}

func newAuditMetrics(ofReplica bool) *auditMetrics {
	m := &auditMetrics{
		registry: prometheus.NewRegistry(),
		objects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "repomill_audit_objects_total", Help: "Published objects that were read from outside, by what was seen: ok, absent, differs or unreachable.",
		}, []string{"result"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "repomill_audit_read_bytes_total", Help: "Bytes of published objects that were read from outside.",
		}),
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "repomill_audit_last_success_timestamp_seconds", Help: "When the last round ended in which all objects were ok; 0 if none has.",
		}),
	}
	for _, o := range []check.Outcome{check.Good, check.Absent, check.Differs, check.Unreachable} {
		m.objects.WithLabelValues(string(o))
	}
	m.registry.MustRegister(m.objects, m.bytes, m.success, command.BuildInfo())
	if ofReplica {
		m.replica = newReplicaMetrics()
		m.registry.MustRegister(m.replica)
	}
	return m
}

// observe records a round, which has ended at now.
func (m *auditMetrics) observe(rep auditReport, now time.Time) {
	for o, n := range rep.Counts {
		m.objects.WithLabelValues(string(o)).Add(float64(n))
	}
	m.bytes.Add(float64(rep.Bytes))
	if rep.Good() {
		m.success.Set(float64(now.UnixMilli()) / 1000)
	}
	if m.replica != nil {
		m.replica.set(rep.Replica)
	}
}

// replicaMetrics are the metrics of a replica. There are none of what is not known.
type replicaMetrics struct {
	lag, damaged *prometheus.Desc

	mu  sync.Mutex
	rep *replicaReport // of the last round; nil if the replica could not be read
}

func newReplicaMetrics() *replicaMetrics {
	return &replicaMetrics{
		lag:     prometheus.NewDesc("repomill_replica_lag_seconds", "Age of the oldest publish that has not arrived whole in the replica; absent if it is not known.", nil, nil),
		damaged: prometheus.NewDesc("repomill_replica_damaged_releases", "Releases of the replica that are not whole; absent if the replica cannot be read.", nil, nil),
	}
}

func (m *replicaMetrics) set(rep *replicaReport) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rep = rep
}

// Describe implements [prometheus.Collector].
func (m *replicaMetrics) Describe(ch chan<- *prometheus.Desc) { ch <- m.lag; ch <- m.damaged }

// Collect implements [prometheus.Collector].
func (m *replicaMetrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rep == nil {
		return
	}
	ch <- prometheus.MustNewConstMetric(m.damaged, prometheus.GaugeValue, float64(m.rep.Damaged))
	if m.rep.Lag != nil {
		ch <- prometheus.MustNewConstMetric(m.lag, prometheus.GaugeValue, math.Max(m.rep.Lag.Seconds, 0))
	}
}

// keepOn looks in each period until ctx ends, and serves metrics. What it finds is logged; nothing ends it but a signal.
func (c *auditCmd) keepOn(ctx context.Context, io stdio, a *client.Auditor) error {
	log := newLogger(io, c.LogFormat, c.LogLevel)
	if err := c.open(ctx, a); command.CodeOf(err) == command.Misused {
		return err // another error is one of each round, until it has passed
	}
	m := newAuditMetrics(c.Replica != "")
	if c.OpsListen != "" {
		l, err := net.Listen("tcp", c.OpsListen)
		if err != nil {
			return command.Fault(err)
		}
		srv := newServer(m.handler(), log)
		context.AfterFunc(ctx, func() { srv.Close() }) //nolint:errcheck // the process ends
		go listen(srv, l)                              //nolint:errcheck // it ends with the process
		log.Info("audit started", "url", c.URL, "every", c.Every.String(), "ops", addressOf(l))
	}
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	for {
		rep, err := c.round(ctx, a, func(err error) { log.Warn("replica not checked in full", "error", err) })
		if ctx.Err() != nil {
			return nil
		}
		m.observe(rep, time.Now())
		c.log(log, io, rep, err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// log logs the result of a round: an object that is absent or differs needs a person.
func (c *auditCmd) log(log *slog.Logger, io stdio, rep auditReport, err error) {
	if c.JSON {
		printJSON(io, rep)
	}
	for _, f := range rep.Faults {
		level := slog.LevelError
		if f.Outcome == check.Unreachable {
			level = slog.LevelWarn
		}
		log.Log(context.Background(), level, "object is not ok", "url", f.URL, "result", string(f.Outcome), "detail", f.Detail)
	}
	if r := rep.Replica; r != nil {
		level := slog.LevelInfo
		if !r.Sound() {
			level = slog.LevelError
		}
		log.Log(context.Background(), level, "replica checked", "verdict", client.ReplicaVerdict(*r))
	}
	if err != nil {
		log.Error("round not completed", "error", err)
	}
	log.Info("round ended", "verdict", rep.verdict(), "skipped", len(rep.Skipped))
}

func (m *auditMetrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("GET /healthz", alive)
	return mux
}
