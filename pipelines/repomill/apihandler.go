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
	uploads *upload.Handler
	doors   []apiDoor // the first one that answers a path is its handler
	rest    http.Handler
	routes  []api.Route // of all
	tokens  *api.Tokens
	metrics *apiMetrics

	downloads *downloadCounts
}

// An apiDoor is the handler of some paths.
type apiDoor struct {
	answers func(path string) bool
	handler http.Handler
}

// add adds the handler of some paths, whose answers are counted as those of a call.
func (h *apiHandler) add(call string, answers func(path string) bool, handler http.Handler, routes ...api.Route) {
	h.doors = append(h.doors, apiDoor{answers, h.metrics.observed(call, handler)})
	h.routes = append(h.routes, routes...)
}

// addDoor adds the calls of a door.
func (h *apiHandler) addDoor(call string, d *api.Door) { h.add(call, d.Answers, d, d.Routes()...) }

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
	h := &apiHandler{uploads: receiver, tokens: tokens, downloads: downloads, metrics: m}
	h.doors = append(h.doors, apiDoor{upload.IsPath, receiver}) // which counts its answers itself
	h.routes = upload.Routes()
	exchange := &oidc.Exchange{Authenticator: ids, Uses: c.catalog, Used: catalogdb.ErrExists, Issuer: jobs}
	h.add("exchange", func(path string) bool { return path == oidc.ExchangePath }, api.LimitedByAddress(gate.Limits, exchange), api.Route{Method: http.MethodPost, Path: oidc.ExchangePath})
	h.add("status", status.IsPath, status.New(status.Config{Source: apiStatus{db: c.catalog, downloads: downloads}, Gate: gate, PublicURL: c.publicURL}))
	h.addDoor("snapshots", snapshots.New(snapshots.Config{Catalog: apiSnapshots{c.catalog}, Scheduler: apiSnapshots{c.catalog}, Gate: gate, PublicURL: c.publicURL}))
	h.addDoor("retention", retention.New(apiRetention{c.catalog}, gate))
	h.addDoor("history", history.New(apiHistory{c.catalog}, gate))
	h.add("trains", trains.IsPath, trains.New(apiTrains{c.catalog}, gate), trains.Routes()...)
	h.addDoor("deletion", deletion.New(apiDeletion{c.catalog}, gate))
	h.addDoor("yank", yank.New(apiYank{c.catalog}, gate))
	h.rest = m.observed("packagecloud", packagecloud.New(packagecloud.Config{
		Catalog: c.catalog, Changes: apiChanges{c.catalog}, Promotions: apiPromotions{c.catalog}, Phases: apiPhases{c.catalog}, Uploads: receiver, Gate: gate, Table: c.table, PublicURL: c.publicURL, Log: c.log, Now: time.Now,
		Administration: admin, Tokens: admin, Keys: admin,
	}))
	h.routes = append(h.routes, packagecloud.Routes()...)
	return h
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
	for _, d := range h.doors {
		if d.answers(r.URL.Path) {
			d.handler.ServeHTTP(w, r)
			return
		}
	}
	h.rest.ServeHTTP(w, r)
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
