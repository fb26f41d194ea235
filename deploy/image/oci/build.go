package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation of a layout's index that has the tag.
const refName = "org.opencontainers.image.ref.name"

// build makes an image for all architectures, in a new layout.
func build(to, folder string, names []string, out io.Writer) error {
	if _, err := os.Stat(to); err == nil {
		return fmt.Errorf("%s: %w: remove it, or name another folder", to, fs.ErrExist)
	}
	all, err := architectures(folder)
	if err != nil {
		return err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var referrers []v1.Image
	var first program
	for _, a := range all {
		programs := make([]program, len(names))
		for i, name := range names {
			if programs[i], err = readProgram(folder, name, a); err != nil {
				return err
			}
		}
		made, referrer, err := one(a, programs, out)
		if err != nil {
			return err
		}
		if first.name == "" {
			first = programs[0]
		}
		if programs[0].version != first.version || programs[0].revision != first.revision {
			return fmt.Errorf("%s is of two versions, %s and %s: build it from one commit", first.name, first.version, programs[0].version)
		}
		index = mutate.AppendManifests(index, made)
		referrers = append(referrers, referrer)
	}
	described, ok := mutate.Annotations(index, labels(first)).(v1.ImageIndex)
	if !ok {
		return fmt.Errorf("an annotated index is not an index")
	}
	return write(to, described, first, referrers, out)
}

// one makes the image of an architecture and its bills of materials.
func one(architecture string, programs []program, out io.Writer) (mutate.IndexAddendum, v1.Image, error) {
	var none mutate.IndexAddendum
	made, err := image(architecture, programs)
	if err != nil {
		return none, nil, err
	}
	described, err := partial.Descriptor(made)
	if err != nil {
		return none, nil, err
	}
	referrer, err := bills(*described, programs)
	if err != nil {
		return none, nil, err
	}
	size, err := pulled(made)
	fmt.Fprintf(out, "%s linux/%s: %.1f MB to pull\n", programs[0].name, architecture, float64(size)/1e6)
	return mutate.IndexAddendum{Add: made, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}}}, referrer, err
}

// pulled is how many bytes a host without any layer has to get.
func pulled(made v1.Image) (size int64, err error) {
	m, err := made.Manifest()
	if err != nil {
		return 0, err
	}
	size = m.Config.Size
	for _, l := range m.Layers {
		size += l.Size
	}
	return size, nil
}

// write writes the layout.
func write(to string, index v1.ImageIndex, first program, referrers []v1.Image, out io.Writer) error {
	path, err := layout.Write(to, empty.Index)
	if err != nil {
		return err
	}
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{refName: tag(first.version)})); err != nil {
		return err
	}
	for _, r := range referrers {
		if err := path.AppendImage(r); err != nil {
			return err
		}
	}
	digest, err := index.Digest()
	fmt.Fprintf(out, "%s %s %s\n", first.name, tag(first.version), digest)
	return err
}

// tag makes a tag of a version: a registry takes no +.
func tag(version string) string {
	if version == "" || version == "(devel)" {
		return "devel"
	}
	return strings.ReplaceAll(version, "+", "_")
}
