package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"repomill/pipelines/command"
	"repomill/pipelines/objects"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/serve/api"
	"repomill/serve/api/deletion"
	"repomill/serve/api/history"
	"repomill/serve/api/oidc"
	"repomill/serve/api/packagecloud"
	"repomill/serve/api/retention"
	"repomill/serve/api/snapshots"
	"repomill/serve/api/status"
	"repomill/serve/api/trains"
	"repomill/serve/api/upload"
	"repomill/serve/api/yank"
)

// An apiConfig is what the handlers of the API need.
type apiConfig struct {
	staging   objects.Staging
	catalog   *catalogdb.DB
	table     *layout.Table
	publicURL string
	maxSize   int64
	log       *slog.Logger

	issuerNetworks []netip.Prefix // of issuers of ID tokens that are not on the public internet
	settingsAge    time.Duration  // how long resolvers use settings that were replaced
}

// An apiHandler is the API, and what a server does with it.
type apiHandler struct {
	uploads  *upload.Handler
	exchange http.Handler // of ID tokens of CI jobs
	state    http.Handler // of repositories, for people
	kept     http.Handler // snapshots
	retain   http.Handler // rules of retention
	trains   http.Handler // release trains
	history  http.Handler // diff and rollback
	deletion http.Handler // of repositories and their parts
	yank     http.Handler // of what patterns select, and its return
	rest     http.Handler // packagecloud's calls
	tokens   *api.Tokens
	metrics  *apiMetrics

	downloads *downloadCounts
}

func newAPI(c apiConfig) *apiHandler {
	m := newAPIMetrics()
	ids := oidc.New(oidc.Config{Trusts: c.catalog, Now: time.Now, Log: c.log, Networks: c.issuerNetworks})
	jobs := &oidc.JobTokens{Store: c.catalog, Now: time.Now}
	admin := apiAdministration{c.catalog, c.settingsAge}
	tokens := api.NewTokens(c.catalog, time.Now, c.log)
	gate := &api.Gate{
		Auth:   api.Chain{tokens, jobs, ids},
		Limits: api.NewLimits(api.LimitConfig{}, time.Now), Log: c.log,
	}
	uploads := upload.Config{
		Staging: c.staging, Catalog: c.catalog, Gate: gate, Table: c.table, PublicURL: c.publicURL,
		Limits: upload.Limits{MaxSize: c.maxSize}, Observe: m.observe, Accepted: traceAccepted, Log: c.log, Now: time.Now,
	}
	if folder, ok := c.staging.(interface{ Free() (int64, error) }); ok {
		uploads.Room = folder.Free
	}
	receiver := upload.New(uploads)
	downloads := newDownloadCounts(c.catalog.Downloads, c.log)
	return &apiHandler{
		uploads:  receiver,
		exchange: m.observed("exchange", api.LimitedByAddress(gate.Limits, &oidc.Exchange{Authenticator: ids, Uses: c.catalog, Used: catalogdb.ErrExists, Issuer: jobs})),
		state: m.observed("status", status.New(status.Config{
			Source: apiStatus{db: c.catalog, downloads: downloads}, Gate: gate, PublicURL: c.publicURL,
		})),
		kept:     m.observed("snapshots", snapshots.New(snapshots.Config{Catalog: apiSnapshots{c.catalog}, Scheduler: apiSnapshots{c.catalog}, Gate: gate, PublicURL: c.publicURL})),
		retain:   m.observed("retention", retention.New(apiRetention{c.catalog}, gate)),
		trains:   m.observed("trains", trains.New(apiTrains{c.catalog}, gate)),
		history:  m.observed("history", history.New(apiHistory{c.catalog}, gate)),
		deletion: m.observed("deletion", deletion.New(apiDeletion{c.catalog}, gate)),
		yank:     m.observed("yank", yank.New(apiYank{c.catalog}, gate)),
		rest: m.observed("packagecloud", packagecloud.New(packagecloud.Config{
			Catalog: c.catalog, Changes: apiChanges{c.catalog}, Promotions: apiPromotions{c.catalog}, Phases: apiPhases{c.catalog}, Uploads: receiver, Gate: gate, Table: c.table, PublicURL: c.publicURL, Log: c.log, Now: time.Now,
			Administration: admin, Tokens: admin, Keys: admin,
		})),
		tokens:    tokens,
		downloads: downloads,
		metrics:   m,
	}
}

// close waits shortly for what calls have left to do in the catalog. It is called when the server has ended, and before the
// catalog is closed.
func (h *apiHandler) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	h.tokens.Close(ctx)
	h.downloads.close()
}

// closeTime bounds that: the uses of tokens are for people to read, and the end of a process is waited for.
const closeTime = 2 * time.Second

// ServeHTTP implements [http.Handler].
func (h *apiHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := api.CrossSite(r); err != nil {
		api.WriteError(w, err)
		return
	}
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, upload.ReceivePath), strings.HasPrefix(path, upload.VerdictPath):
		h.uploads.ServeHTTP(w, r)
	case path == oidc.ExchangePath:
		h.exchange.ServeHTTP(w, r)
	case status.IsPath(path):
		h.state.ServeHTTP(w, r)
	case snapshots.IsPath(path):
		h.kept.ServeHTTP(w, r)
	case retention.IsPath(path):
		h.retain.ServeHTTP(w, r)
	case history.IsPath(path):
		h.history.ServeHTTP(w, r)
	case trains.IsPath(path):
		h.trains.ServeHTTP(w, r)
	case deletion.IsPath(path):
		h.deletion.ServeHTTP(w, r)
	case yank.IsPath(path):
		h.yank.ServeHTTP(w, r)
	default:
		h.rest.ServeHTTP(w, r)
	}
}

// serverOf returns a server with the API in it. When it is shut down, those who wait for a verdict are answered.
func (h *apiHandler) serverOf(handler http.Handler, log *slog.Logger) *http.Server {
	srv := newServer(handler, log)
	srv.RegisterOnShutdown(h.uploads.Stop)
	return srv
}

// before returns a handler of the API's paths, and of all others by the next one. It is not an http.ServeMux, which redirects
// unclean paths.
func (h *apiHandler) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") || packagecloud.IsTokenPath(r.URL.Path) {
			h.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// apiMetrics are the Prometheus metrics of the API. No label is a path, a package or a token.
type apiMetrics struct {
	calls *prometheus.CounterVec
	bytes prometheus.Counter
	took  *prometheus.HistogramVec
}

func newAPIMetrics() *apiMetrics {
	m := &apiMetrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "repomill_api_calls_total", Help: "Answers by call and status."}, []string{"call", "status"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "repomill_api_received_bytes_total", Help: "Bytes of uploads that arrived, also of those that were refused."}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "repomill_api_call_duration_seconds", Help: "Time until a call was answered; what it waited for a verdict is in it.",
			Buckets: []float64{.002, .005, .01, .05, .1, .5, 1, 5, 30, 60, 300, 1800},
		}, []string{"call"}),
	}
	for _, call := range []string{"upload", "session", "verdict", "exchange", "status", "packagecloud"} {
		m.took.WithLabelValues(call)
		for _, status := range []string{"200", "500", "503"} { // alerts see the first one, too: a counter that begins with it has no increase
			m.calls.WithLabelValues(call, status)
		}
	}
	for _, status := range []string{"202", "507"} {
		m.calls.WithLabelValues("upload", status)
	}
	return m
}

func (m *apiMetrics) observe(a upload.Answer) {
	m.calls.WithLabelValues(a.Call, strconv.Itoa(a.Status)).Inc()
	m.bytes.Add(float64(a.Bytes))
	m.took.WithLabelValues(a.Call).Observe(a.Took.Seconds())
}

// register adds the metrics to those of a process.
func (m *apiMetrics) register(r *prometheus.Registry) { r.MustRegister(m.calls, m.bytes, m.took) }

// registry returns the metrics of a process that is the API alone.
func (m *apiMetrics) registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	m.register(r)
	r.MustRegister(command.BuildInfo(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
