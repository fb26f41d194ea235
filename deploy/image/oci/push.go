package main

import (
	"context"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// push pushes the image of a layout, and what refers to it. It prints the name with the digest, by which deployments name it.
func push(ctx context.Context, from, to string, out io.Writer) error {
	stored, err := layout.ImageIndexFromPath(from)
	if err != nil {
		return err
	}
	list, err := stored.IndexManifest()
	if err != nil {
		return err
	}
	pushed := ""
	for _, d := range list.Manifests { // the index comes first: a referrer is pushed after its subject
		if tag := d.Annotations[refName]; tag != "" {
			pushed, err = pushIndex(ctx, stored, d.Digest, tag, to)
		} else {
			err = pushReferrer(ctx, stored, d.Digest, to)
		}
		if err != nil {
			return fmt.Errorf("push to %s: %w", to, err)
		}
	}
	if pushed == "" {
		return fmt.Errorf("%s has no image: make it with oci build", from)
	}
	_, err = fmt.Fprintln(out, pushed)
	return err
}

func pushIndex(ctx context.Context, stored v1.ImageIndex, digest v1.Hash, tag, to string) (pushed string, err error) {
	ref, err := name.ParseReference(to, name.WithDefaultTag(tag))
	if err != nil {
		return "", err
	}
	index, err := stored.ImageIndex(digest)
	if err != nil {
		return "", err
	}
	return ref.Context().Digest(digest.String()).String(), remote.WriteIndex(ref, index, options(ctx)...)
}

func pushReferrer(ctx context.Context, stored v1.ImageIndex, digest v1.Hash, to string) error {
	ref, err := name.ParseReference(to)
	if err != nil {
		return err
	}
	artifact, err := stored.Image(digest)
	if err != nil {
		return err
	}
	return remote.Write(ref.Context().Digest(digest.String()), artifact, options(ctx)...)
}

func options(ctx context.Context) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent("repomill-oci")}
}
