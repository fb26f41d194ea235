package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	cycloneDX  = "application/vnd.cyclonedx+json"
	emptyMedia = "application/vnd.oci.empty.v1+json"
	emptyBody  = "{}"
)

// bills makes the artifact that has the bills of materials of an image: a manifest whose subject is that image, as registries
// list it among the image's referrers.
func bills(subject v1.Descriptor, programs []program) (v1.Image, error) {
	a := artifact{layers: map[v1.Hash]v1.Layer{}}
	config, size, err := v1.SHA256(bytes.NewReader([]byte(emptyBody)))
	if err != nil {
		return nil, err
	}
	m := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: cycloneDX,
		Config:  v1.Descriptor{MediaType: emptyMedia, Digest: config, Size: size},
		Subject: &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
	}
	for _, p := range programs {
		l := static.NewLayer(p.bill, cycloneDX)
		d, err := partial.Descriptor(l)
		if err != nil {
			return nil, err
		}
		d.Annotations = map[string]string{"org.opencontainers.image.title": p.name + ".cdx.json"}
		m.Layers = append(m.Layers, *d)
		a.layers[d.Digest] = l
	}
	if a.manifest, err = json.Marshal(m); err != nil {
		return nil, err
	}
	return partial.CompressedToImage(a)
}

// An artifact is an image whose config is empty.
type artifact struct {
	manifest []byte
	layers   map[v1.Hash]v1.Layer
}

// RawConfigFile implements [partial.CompressedImageCore].
func (artifact) RawConfigFile() ([]byte, error) { return []byte(emptyBody), nil }

// MediaType implements [partial.CompressedImageCore].
func (artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// RawManifest implements [partial.CompressedImageCore].
func (a artifact) RawManifest() ([]byte, error) { return a.manifest, nil }

// LayerByDigest implements [partial.CompressedImageCore].
func (a artifact) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if l, ok := a.layers[h]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("there is no layer %s", h)
}
