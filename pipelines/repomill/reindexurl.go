package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"strings"

	"repomill/pipelines/command"
	"repomill/pipelines/objects"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// publishedURL returns the URL of the resolver in the published configuration of clients; empty if there is none. So a command
// publishes the same URL as the worker that has the flag.
func publishedURL(ctx context.Context, bucket objects.Bucket) (string, error) {
	declared, err := tree.Repositories(ctx, bucket)
	if err != nil {
		return "", err
	}
	for _, r := range declared {
		body, err := small(ctx, bucket, layout.SettingsKey(r))
		if err != nil {
			return "", err
		}
		var s catalog.Settings
		if json.Unmarshal(body, &s) != nil {
			continue // publishing reports damaged settings
		}
		for _, d := range s.Distributions {
			url, err := configuredURL(ctx, bucket, r, d.Distribution)
			if err != nil || url != "" {
				return url, err
			}
		}
	}
	return "", nil
}

// configuredURL returns the URL in the .sources or .repo file of a distribution; empty if there is none.
func configuredURL(ctx context.Context, bucket objects.Bucket, r catalog.Repository, d catalog.Distribution) (string, error) {
	for key, form := range map[string]struct{ begin, end string }{
		layout.SourcesKey(r, d): {"URIs: ", "/" + r.String() + "/" + d.OS + "/"},
		layout.RepoKey(r, d):    {"baseurl=", "/" + r.String() + "/" + d.String() + "/$basearch"},
	} {
		body, err := small(ctx, bucket, key)
		if err != nil {
			return "", err
		}
		for lines := bufio.NewScanner(strings.NewReader(string(body))); lines.Scan(); {
			url, begins := strings.CutPrefix(lines.Text(), form.begin)
			url, ends := strings.CutSuffix(url, form.end)
			if begins && ends && command.CheckURL("", url) == nil {
				return url, nil
			}
		}
	}
	return "", nil
}

// maxConfiguration bounds a published configuration, or settings, in bytes.
const maxConfiguration = 4 << 20

// small reads an object of at most maxConfiguration bytes; nil if it does not exist.
func small(ctx context.Context, bucket objects.Bucket, key string) ([]byte, error) {
	body, _, err := bucket.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, maxConfiguration))
}
