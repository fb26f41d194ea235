package main

import (
	"errors"
	"fmt"
	"maps"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// descriptions are what images are for, by the name of their first program.
var descriptions = map[string]string{
	"repomill":          "Signed DEB and RPM repositories from packages that CI pushes: worker, API and commands",
	"repomill-resolver": "Redirects clients of package repositories to signed URLs of the CDN",
}

// labels describe an image by its first program.
func labels(p program) map[string]string {
	l := map[string]string{
		"org.opencontainers.image.title":   p.name,
		"org.opencontainers.image.version": p.version,
		"org.opencontainers.image.created": p.time.Format(time.RFC3339),
	}
	if p.revision != "" {
		l["org.opencontainers.image.revision"] = p.revision
	}
	if d := descriptions[p.name]; d != "" {
		l["org.opencontainers.image.description"] = d
	}
	return l
}

// image makes the image of one architecture. Each program has its own layer: what did not change is not pulled again.
func image(architecture string, programs []program) (v1.Image, error) {
	first := programs[0]
	made := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	config := &v1.ConfigFile{
		OS: "linux", Architecture: architecture, Created: v1.Time{Time: first.time},
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Entrypoint: []string{"/usr/local/bin/" + first.name},
			User:       user,
			WorkingDir: "/tmp",
			Env:        []string{"PATH=/usr/local/bin", "HOME=/tmp", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
			Labels:     labels(first),
		},
	}
	made, err := mutate.ConfigFile(made, config)
	if err != nil {
		return nil, err
	}
	add := func(by string, files ...file) {
		l, err2 := layer(first.time, files...)
		if err = errors.Join(err, err2); err != nil {
			return
		}
		made, err = mutate.Append(made, mutate.Addendum{Layer: l, MediaType: types.OCILayer,
			History: v1.History{Created: v1.Time{Time: first.time}, CreatedBy: by}})
	}
	add("certificates, users, /tmp", base()...)
	for _, p := range programs {
		if p.version != first.version || p.revision != first.revision {
			return nil, fmt.Errorf("%s is %s of %s, and %s is %s of %s: build them from one commit",
				first.name, first.version, first.revision, p.name, p.version, p.revision)
		}
		add(p.name, file{name: "usr/"}, file{name: "usr/local/"}, file{name: "usr/local/bin/"},
			file{name: "usr/local/bin/" + p.name, mode: 0o755, body: p.body})
	}
	if err != nil {
		return nil, err
	}
	annotated, ok := mutate.Annotations(made, maps.Clone(config.Config.Labels)).(v1.Image)
	if !ok {
		return nil, errors.New("an annotated image is not an image")
	}
	return annotated, nil
}
