package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/pipelines/command"
	"repomill/publish/check"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A meaning is one interpretation of a URL: a root, and the releases that may be below it.
type meaning struct {
	root string
	may  []check.Found
}

// findAtURL returns the releases of the first meaning that has any.
func findAtURL(ctx context.Context, place string, table *layout.Table) (checkPlace, error) {
	u, err := url.Parse(place)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return checkPlace{}, command.Usage("use a URL such as https://HOST/owner/name")
	}
	shown := shownURL(u)
	client := &http.Client{Transport: patientTransport()}
	var refused error // by the server, in one case at least
	for _, m := range meanings(strings.TrimRight(place, "/"), table) {
		tree := check.URL(client, m.root)
		found, err := probe(ctx, tree, m.may)
		if status, ok := errors.AsType[*check.StatusError](err); ok && status.Code == http.StatusForbidden {
			refused, err = err, nil // stores that do not list their objects answer 403 for absent ones
		}
		if err != nil {
			return checkPlace{}, unreadableURL(shown, err)
		}
		if len(found) > 0 {
			return checkPlace{tree, shown, found, isSnapshot(m.root)}, nil
		}
	}
	return checkPlace{}, noRelease(ctx, client, place, shown, refused)
}

// isSnapshot reports whether a URL is of a snapshot, or of something below one.
func isSnapshot(root string) bool {
	u, err := url.Parse(root)
	return err == nil && belowSnapshot.MatchString(u.Path)
}

// belowSnapshot matches owner/name/snapshots/ID, and what may be before and behind it.
var belowSnapshot = regexp.MustCompile(`/[^/]+/[^/]+/snapshots/[^/]+(/|$)`)

// patientTransport returns a transport that waits up to a minute for the header of a response.
func patientTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = time.Minute
	return t
}

// meanings returns the meanings of a URL, the most specific first.
func meanings(place string, table *layout.Table) (all []meaning) {
	if i := strings.LastIndex(place, "/dists/"); i >= 0 {
		codename := trimPlace(place)[i+len("/dists/"):]
		first, _, deeper := strings.Cut(codename, "/")
		all = append(all, meaning{place[:i], []check.Found{{Format: catalog.DEB, Codename: codename}}})
		if deeper {
			all = append(all, meaning{place[:i], []check.Found{{Format: catalog.DEB, Codename: first}}})
		}
		return all
	}
	place = strings.TrimSuffix(strings.TrimSuffix(trimPlace(place), ".sources"), ".repo")
	all = append(all, meaning{place, []check.Found{{Format: catalog.RPM}}})
	of := func(root string, want func(catalog.Distribution) bool) {
		if may := releasesOf(table, want); len(may) > 0 {
			all = append(all, meaning{root, may})
		}
	}
	above, last := cutName(place)
	top, os := cutName(above)
	of(top, func(d catalog.Distribution) bool { return d.OS == os && d.Version == last })
	of(above, func(d catalog.Distribution) bool { return d.OS == last })
	of(place, func(catalog.Distribution) bool { return true })
	return all
}

// cutName splits a URL before its last name.
func cutName(url string) (above, name string) {
	i := strings.LastIndex(url, "/")
	return url[:max(i, 0)], url[i+1:]
}

// releasesOf returns the possible releases of distributions, with paths below their repository.
func releasesOf(table *layout.Table, want func(catalog.Distribution) bool) (may []check.Found) {
	for _, d := range table.All() {
		if !want(d.Distribution) {
			continue
		}
		if d.Format == catalog.DEB {
			may = append(may, check.Found{Format: catalog.DEB, Base: d.Distribution.OS, Codename: d.Distribution.Version})
			continue
		}
		for _, arch := range d.Architectures {
			may = append(may, check.Found{Format: catalog.RPM, Base: d.Distribution.String() + "/" + arch})
		}
	}
	return may
}

// probes is the number of concurrent requests of probe.
const probes = 8

// probe returns the releases that exist, and one of the errors other than [fs.ErrNotExist].
func probe(ctx context.Context, tree check.Tree, may []check.Found) (found []check.Found, err error) {
	there := make([]bool, len(may))
	var g errgroup.Group
	g.SetLimit(probes)
	for i, f := range may {
		g.Go(func() error {
			body, err := tree.Open(ctx, pointerOf(f))
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			there[i] = true
			return body.Close()
		})
	}
	err = g.Wait()
	for i, f := range may {
		if there[i] {
			found = append(found, f)
		}
	}
	return found, err
}

func pointerOf(f check.Found) string {
	if f.Format == catalog.DEB {
		return path.Join(f.Base, "dists", f.Codename, "InRelease")
	}
	return path.Join(f.Base, "repodata/repomd.xml")
}

var tokenInPath = regexp.MustCompile(`^/priv/[^/]+/`)

// shownURL returns a URL without its token and password, for messages.
func shownURL(u *url.URL) string {
	return u.Scheme + "://" + u.Host + strings.TrimRight(tokenInPath.ReplaceAllString(u.EscapedPath(), "/priv/TOKEN/"), "/")
}

// unreadableURL returns the error for a URL that cannot be read, with advice.
func unreadableURL(shown string, err error) error {
	status, ok := errors.AsType[*check.StatusError](err)
	switch {
	case ok && status.Code == http.StatusUnauthorized:
		host := strings.SplitN(shown, "://", 2)
		return command.Fault(fmt.Errorf("%s: 401 Unauthorized: the repository is private or does not exist; put a token into the URL, as %s://TOKEN@%s", shown, host[0], host[1]))
	case ok:
		return command.Fault(fmt.Errorf("%s: the server answers %w", shown, err))
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return command.Fault(fmt.Errorf("%s: the server does not speak https: use http://", shown))
	}
	return command.Fault(fmt.Errorf("cannot reach %s: %w", shown, err))
}

// noRelease returns the error for a URL without releases, with advice.
func noRelease(ctx context.Context, client *http.Client, place, shown string, refused error) error {
	if root, codename, is := strings.Cut(trimPlace(place), "/dists/"); is {
		body, err := check.URL(client, root).Open(ctx, "dists/"+codename+"/Release")
		if err == nil {
			body.Close() //nolint:errcheck // only its existence matters
			return fmt.Errorf("%s has a Release file and no InRelease: check needs InRelease, which apt prefers", shown)
		}
	}
	why := "404 Not Found"
	if refused != nil {
		why = refused.Error()
	}
	scheme, path, _ := strings.Cut(shown, "://")
	if host, _, _ := strings.Cut(path, "/"); strings.Count(path, "/") < 2 {
		return command.Fault(fmt.Errorf("%s is not a repository (%s): name one, as in %s://%s/owner/name", shown, why, scheme, host))
	}
	return command.Fault(fmt.Errorf("there is no release at or below %s (%s): name a repository, .../owner/name[/os[/version]]; a release of apt, .../dists/CODENAME; or the baseurl of an RPM repository", shown, why))
}
