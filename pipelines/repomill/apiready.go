package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"repomill/pipelines/command"
	"repomill/pipelines/objects"
	"repomill/schemas/catalogdb"
)

const (
	// readyTimeout bounds how long a check waits for staging and the catalog: load balancers wait 5 seconds.
	readyTimeout = 4 * time.Second
	// readyAge is how long an answer of staging is used again: load balancers ask from many places.
	readyAge = time.Second
)

// An apiReadiness knows whether an API can take uploads: it can while staging answers. It is ready without the catalog, too: it then
// answers calls itself, with 503 and when to try again. Without any ready API, a load balancer answers with a page of its own.
type apiReadiness struct {
	staging objects.Staging
	catalog *catalogdb.DB
	log     *slog.Logger

	mu      sync.Mutex
	checked time.Time
	err     error // of staging, at that time
}

// ready returns nil, or why staging cannot be used.
func (a *apiReadiness) ready(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.checked) < readyAge {
		return a.err
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout) // the answer is that of others, too
	defer cancel()
	_, err := a.staging.Stat(limited, ".repomill/probe")
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		a.log.Warn("not ready", "error", err)
	}
	a.checked, a.err = time.Now(), err
	return err
}

// reach returns nil, or why the catalog cannot be reached.
func (a *apiReadiness) reach(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return a.catalog.Ping(limited)
}

// serveOps answers operators: with the reason, and with what of the catalog they have to know.
func (a *apiReadiness) serveOps(w http.ResponseWriter, r *http.Request) {
	reached := make(chan error, 1)
	go func() { reached <- a.reach(r.Context()) }() // both within what load balancers wait
	staging, catalog := a.ready(r.Context()), <-reached
	about := ""
	if catalog != nil {
		about = command.Printable(fmt.Sprintf("calls are answered with 503: %v", catalog)) + "\n"
	}
	if staging != nil {
		http.Error(w, command.Printable(fmt.Sprintf("not ready: %v", staging))+"\n"+about, http.StatusServiceUnavailable)
		return
	}
	alive(w, r)
	io.WriteString(w, about) //nolint:errcheck // the client may have disconnected
}

// before answers /readyz to load balancers, which ask on the port that they send calls to, without a reason. next answers all else.
func (a *apiReadiness) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/readyz" || r.Method != http.MethodGet && r.Method != http.MethodHead:
			next.ServeHTTP(w, r)
		case a.ready(r.Context()) != nil:
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "not ready; the log says why", http.StatusServiceUnavailable)
		default:
			alive(w, r)
		}
	})
}

var apiCatalogDesc = prometheus.NewDesc("repomill_api_catalog_up", "Whether the catalog answered the API.", nil, nil)

// Describe implements [prometheus.Collector].
func (a *apiReadiness) Describe(out chan<- *prometheus.Desc) { out <- apiCatalogDesc }

// Collect implements [prometheus.Collector].
func (a *apiReadiness) Collect(out chan<- prometheus.Metric) {
	up := 1.0
	if a.reach(context.Background()) != nil {
		up = 0
	}
	out <- prometheus.MustNewConstMetric(apiCatalogDesc, prometheus.GaugeValue, up)
}
