package main

import (
	"crypto"
	"net/http"
	"net/url"
	"time"

	"repomill/serve"
	"repomill/serve/cloudfront"
)

// handlers are the two servers of the embedded product.
type handlers struct {
	resolver, edge http.Handler
}

// settingsAge is how long the resolver goes by the settings that it has read.
const settingsAge = 2 * time.Second

func (s *site) handlers() (handlers, error) {
	key, id, err := urlKey(s.cmd.path("url-key.pem"))
	if err != nil {
		return handlers{}, err
	}
	edge, err := url.Parse(s.edgeURL())
	if err != nil {
		return handlers{}, usage("--edge-url: %w", err)
	}
	signer, err := cloudfront.NewSigner(edge, id, key)
	if err != nil {
		return handlers{}, err
	}
	bucket := s.resources.Bucket
	return handlers{
		resolver: serve.NewResolver(serve.ResolverConfig{
			Signer: signer, Settings: serve.NewSettingsCache(bucket.Get, settingsAge, time.Now), Log: s.log, Now: time.Now,
		}),
		edge: serve.NewEdge(serve.EdgeConfig{
			Verifier: cloudfront.NewVerifier(edge, map[string]crypto.PublicKey{id: key.Public()}), Objects: bucket, Log: s.log, Now: time.Now,
		}),
	}, nil
}
