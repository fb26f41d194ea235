package main

import (
	"crypto"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"repomill/pipelines/command"
	"repomill/serve"
	"repomill/serve/cloudfront"
)

// handlers are the two servers of the embedded product: the resolver's has the API, too.
type handlers struct {
	resolver, edge http.Handler
	api            *apiHandler
	answers        *serve.Metrics // of the resolver
}

// register adds what the handlers measure to the metrics of the process.
func (h handlers) register(r *prometheus.Registry) {
	h.api.metrics.register(r)
	h.answers.Register(r)
}

// The resolver uses settings for settingsAge after it has read them, and for settingsStale if it cannot read them again.
const (
	settingsAge   = 2 * time.Second
	settingsStale = time.Minute
)

func (s *site) handlers() (handlers, error) {
	key, id, err := urlKey(s.cmd.path("url-key.pem"))
	if err != nil {
		return handlers{}, err
	}
	edge, err := url.Parse(s.edgeURL())
	if err != nil {
		return handlers{}, command.Usage("--edge-url: %w", err)
	}
	signer, err := cloudfront.NewSigner(edge, id, key)
	if err != nil {
		return handlers{}, err
	}
	bucket := s.resources.Bucket
	files, ok := bucket.(serve.Objects) // a folder's is
	if !ok {
		return handlers{}, fmt.Errorf("the edge cannot serve a %T", bucket)
	}
	api := newAPI(apiConfig{
		staging: s.resources.Staging, catalog: s.resources.Catalog, table: s.resources.Ingester.Table, publicURL: s.publicURL(),
		maxSize: s.cmd.MaxPackageSize, log: s.log, issuerNetworks: s.cmd.IssuerNetwork, settingsAge: settingsAge,
	})
	answers := serve.NewMetrics()
	return handlers{
		api: api, answers: answers,
		resolver: api.before(serve.NewResolver(serve.ResolverConfig{
			Signer: signer, Observe: answers.Observe, Log: s.log, Now: time.Now,
			Settings: serve.NewSettingsCache(serve.SettingsConfig{Bucket: bucket, MaxAge: settingsAge, MaxStale: settingsStale, Log: s.log, Now: time.Now}),
		})),
		edge: serve.NewEdge(serve.EdgeConfig{
			Verifier: cloudfront.NewVerifier(edge, map[string]crypto.PublicKey{id: key.Public()}), Objects: files, Log: s.log, Now: time.Now,
		}),
	}, nil
}
