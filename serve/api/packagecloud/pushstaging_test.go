package packagecloud_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/serve/api/upload"
)

// A fullStaging fails in one of its steps.
type fullStaging struct {
	upload.Staging
	create, move error
}

func (b fullStaging) Create(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error) {
	if b.create != nil {
		io.CopyN(io.Discard, body, 2) //nolint:errcheck // what a disk has room for
		return catalog.Upload{}, b.create
	}
	return b.Staging.Create(ctx, object, body, by)
}

func (b fullStaging) Move(ctx context.Context, u catalog.Upload, object string) (catalog.Upload, error) {
	if b.move != nil {
		return catalog.Upload{}, b.move
	}
	return b.Staging.Move(ctx, u, object)
}

func TestPushWhileStagingDoesNotWork(t *testing.T) {
	secret := errors.New("gs://secret")
	for _, tt := range []struct {
		name         string
		create, move error
		room         int64
		status       int
	}{
		{"it is down", secret, nil, 1 << 40, 503},
		{"it is down at the last step", nil, secret, 1 << 40, 503},
		{"the disk fills up", fmt.Errorf("secret: %w", syscall.ENOSPC), nil, 1 << 40, 507},
		{"the disk is full", nil, nil, 5, 507},
	} {
		for order, parts := range map[string][]part{"file first": {aFile, anID}, "id first": {anID, aFile}} {
			if tt.move != nil && order == "id first" {
				continue // has no such step
			}
			t.Run(tt.name+", "+order, func(t *testing.T) {
				s := newSiteWith(t, func(c *upload.Config) {
					c.Staging, c.Room = fullStaging{c.Staging, tt.create, tt.move}, func() (int64, error) { return tt.room, nil }
				})
				res, body := s.push(parts)
				if res.StatusCode != tt.status || strings.Contains(body, "secret") || !strings.Contains(body, `{"error":"`) {
					t.Errorf("got %d %s, want %d", res.StatusCode, body, tt.status)
				}
				if diff := cmp.Diff([]string(nil), s.left()); diff != "" {
					t.Errorf("left (-want +got):\n%s", diff)
				}
			})
		}
	}
}
