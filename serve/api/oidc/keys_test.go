package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
	"repomill/serve/api/oidc"
)

// An outcome is what Authenticate says of a token.
type outcome string

const (
	accepted outcome = "accepted"
	unknown  outcome = "unknown"
	notNow   outcome = "not known now"
)

// ask presents a token that lasts for long, signed by a key.
func ask(t *testing.T, a *oidc.Authenticator, ci *ciServer, key signingKey) (outcome, error) {
	t.Helper()
	token := with(gitlabToken(ci.URL), values{"exp": start.Add(1000 * time.Hour).Unix()})
	_, err := a.Authenticate(t.Context(), key.sign(t, payloadOf(t, token), nil))
	switch {
	case err == nil:
		return accepted, nil
	case errors.Is(err, api.ErrUnknownCredential):
		return unknown, err
	}
	return notNow, err
}

func TestKeysRotate(t *testing.T) {
	first, second, forged := newECDSA(t, "1"), newECDSA(t, "2"), newECDSA(t, "forged")
	ci := newCI(t, first)
	a, clock := newAuthenticator(ci, &fixedTrusts{all: []catalog.Trust{trustIn(ci.URL, map[string]string{"project_path": "acme/tools"})}})
	for _, step := range []struct {
		fact    string
		publish []signingKey // if there are any
		later   time.Duration
		key     signingKey
		want    outcome
		fetches int32 // in all
	}{
		{"the first token fetches the keys", nil, 0, first, accepted, 1},
		{"others do not", nil, time.Minute, first, accepted, 1},
		{"a key that is not known fetches them again", nil, 0, forged, unknown, 2},
		{"ten more do not, and may be of a new key", nil, time.Second, forged, notNow, 2},
		{"known keys go on", nil, 0, first, accepted, 2},
		{"they do after ten seconds", nil, 9 * time.Second, forged, unknown, 3},
		{"a new key is found when a token has it", []signingKey{first, second}, 10 * time.Second, second, accepted, 4},
		{"the old one is valid beside it", nil, 0, first, accepted, 4},
		{"the old one was withdrawn, which is not known yet", []signingKey{second}, 59 * time.Minute, first, accepted, 4},
		{"an hour later it is", nil, time.Minute, first, unknown, 5},
		{"the new one goes on", nil, 0, second, accepted, 5},
	} {
		if step.publish != nil {
			ci.publish(step.publish...)
		}
		clock.forward(step.later)
		if got, err := ask(t, a, ci, step.key); got != step.want || ci.fetches.Load() != step.fetches {
			t.Errorf("%s: %s (%v) after %d fetches; want %s after %d", step.fact, got, err, ci.fetches.Load(), step.want, step.fetches)
		}
	}
}

func TestKeysWhileTheIssuerIsDown(t *testing.T) {
	key, other := newECDSA(t, "1"), newECDSA(t, "2")
	ci := newCI(t, key)
	down := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "upgrade", http.StatusBadGateway) }
	const configuration = "/.well-known/openid-configuration"
	ci.answer(configuration, down)
	a, clock := newAuthenticator(ci, &fixedTrusts{all: []catalog.Trust{trustIn(ci.URL, map[string]string{"project_path": "acme/tools"})}})
	for _, step := range []struct {
		fact   string
		answer http.HandlerFunc
		later  time.Duration
		key    signingKey
		want   outcome
		asked  int32 // in all
	}{
		{"nothing is known at first", down, 0, key, notNow, 1},
		{"each call does not ask", down, 5 * time.Second, key, notNow, 1},
		{"a call asks after ten seconds", down, 5 * time.Second, key, notNow, 2},
		{"the issuer comes back", nil, 10 * time.Second, key, accepted, 3},
		{"it is down, and its keys go on", down, 2 * time.Hour, key, accepted, 4},
		{"each call does not ask again", down, 5 * time.Second, key, accepted, 4},
		{"a key that is not known may be a new one", down, time.Hour, other, notNow, 5},
		{"they do for a day", down, 20*time.Hour + 59*time.Minute + 50*time.Second, key, accepted, 6},
		{"and not longer", down, 10 * time.Second, key, notNow, 7},
		{"it comes back", nil, 10 * time.Second, key, accepted, 8},
	} {
		ci.answer(configuration, step.answer)
		clock.forward(step.later)
		got, err := ask(t, a, ci, step.key)
		if n := ci.discoveries.Load(); got != step.want || n != step.asked {
			t.Errorf("%s: %s (%v) after %d questions; want %s after %d", step.fact, got, err, n, step.want, step.asked)
		}
		if got == notNow && !strings.HasPrefix(err.Error(), "the keys of "+ci.URL+" are not known now, try again in 10 seconds: ") {
			t.Errorf("%s: %v", step.fact, err)
		}
	}
}

// What an issuer answers cannot hold calls up or fill the memory; and it leads nowhere else.
func TestIssuersAnswers(t *testing.T) {
	key := newECDSA(t, "1")
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s)) }
	}
	large := func(w http.ResponseWriter, _ *http.Request) {
		for range 1 << 9 {
			if _, err := w.Write([]byte(strings.Repeat(" ", 1<<12))); err != nil {
				return
			}
		}
	}
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
	}
	for _, tt := range []struct {
		name, path string
		answer     func(ci *ciServer) http.HandlerFunc
		says       string
	}{
		{"a configuration of 2 MiB", "/.well-known/openid-configuration", func(*ciServer) http.HandlerFunc { return large }, "request body too large"},
		{"keys of 2 MiB", "/keys", func(*ciServer) http.HandlerFunc { return large }, "request body too large"},
		{"a configuration that redirects", "/.well-known/openid-configuration", func(*ciServer) http.HandlerFunc { return redirect }, "it redirects"},
		{"keys that redirect", "/keys", func(*ciServer) http.HandlerFunc { return redirect }, "it redirects"},
		{"a configuration that is not JSON", "/.well-known/openid-configuration", func(*ciServer) http.HandlerFunc { return text("<html>") }, "its configuration: "},
		{"keys that are not JSON", "/keys", func(*ciServer) http.HandlerFunc { return text("<html>") }, "its keys: invalid character"},
		{"no keys", "/keys", func(*ciServer) http.HandlerFunc { return text(`{"keys":[]}`) }, "there is none that signatures can be verified with"},
		{"51 keys", "/keys", func(*ciServer) http.HandlerFunc {
			return text(`{"keys":[{}` + strings.Repeat(",{}", 50) + `]}`)
		}, "there are 51, and at most 50 are read"},
		{"keys that are gone", "/keys", func(*ciServer) http.HandlerFunc { return http.NotFound }, "/keys answers 404 Not Found"},
		{"the configuration of another issuer", "/.well-known/openid-configuration", func(ci *ciServer) http.HandlerFunc {
			return text(`{"issuer":"https://other.example","jwks_uri":"` + ci.URL + `/keys"}`)
		}, "issuer URL provided to client"},
		{"keys over http", "/.well-known/openid-configuration", func(ci *ciServer) http.HandlerFunc {
			return text(`{"issuer":"` + ci.URL + `","jwks_uri":"http` + strings.TrimPrefix(ci.URL, "https") + `/keys"}`)
		}, "it is not an https URL"},
		{"keys of a file", "/.well-known/openid-configuration", func(ci *ciServer) http.HandlerFunc {
			return text(`{"issuer":"` + ci.URL + `","jwks_uri":"file:///etc/passwd"}`)
		}, "it is not an https URL"},
		{"keys at an address inside", "/.well-known/openid-configuration", func(ci *ciServer) http.HandlerFunc {
			return text(`{"issuer":"` + ci.URL + `","jwks_uri":"https://169.254.169.254/keys"}`)
		}, "169.254.169.254 is not a public address"},
		{"no place of keys", "/.well-known/openid-configuration", func(ci *ciServer) http.HandlerFunc {
			return text(`{"issuer":"` + ci.URL + `"}`)
		}, "its keys: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ci := newCI(t, key)
			ci.answer(tt.path, tt.answer(ci))
			a, _ := newAuthenticator(ci, &fixedTrusts{all: []catalog.Trust{trustIn(ci.URL, map[string]string{"project_path": "acme/tools"})}})
			if got, err := ask(t, a, ci, key); got != notNow || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v; want %q", got, err, tt.says)
			}
		})
	}
}

// A caller does not wait longer than it wants to, and the fetch that it began serves the next one.
func TestASlowIssuer(t *testing.T) {
	key := newECDSA(t, "1")
	ci := newCI(t, key)
	release, begun := make(chan struct{}), make(chan struct{})
	ci.answer("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-release
		ci.answer("/.well-known/openid-configuration", nil)
		ci.serve(w, r)
	})
	a, clock := newAuthenticator(ci, &fixedTrusts{all: []catalog.Trust{trustIn(ci.URL, map[string]string{"project_path": "acme/tools"})}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	token := key.sign(t, payloadOf(t, gitlabToken(ci.URL)), nil)
	if _, err := a.Authenticate(ctx, token); !errors.Is(err, context.Canceled) || errors.Is(err, api.ErrUnknownCredential) {
		t.Errorf("got %v", err)
	}
	close(release)
	clock.forward(time.Second) // less than an interval: this call waits for the fetch of the other one
	if _, err := a.Authenticate(t.Context(), token); err != nil {
		t.Errorf("the next call: %v", err)
	}
	if n := ci.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

// A name that leads to this machine is not asked, whichever address it had when the trust was added.
func TestIssuersOnThisMachine(t *testing.T) {
	key := newECDSA(t, "1")
	ci := newCI(t, key)
	_, port, _ := strings.Cut(strings.TrimPrefix(ci.URL, "https://"), ":")
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"} {
		issuer := "https://" + host + ":" + port
		a := oidc.New(oidc.Config{Trusts: &fixedTrusts{all: []catalog.Trust{trustIn(issuer, map[string]string{"project_path": "acme/tools"})}},
			Now: func() time.Time { return start }, Log: discard})
		_, err := a.Authenticate(t.Context(), key.sign(t, payloadOf(t, gitlabToken(issuer)), nil))
		if err == nil || !strings.Contains(err.Error(), "is not a public address") || errors.Is(err, api.ErrUnknownCredential) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := ci.discoveries.Load(); n != 0 {
		t.Errorf("it was asked %d times", n)
	}
}

// While an issuer accepts connections and does not answer, its keys go on: one call waits a little, others do not.
func TestAnIssuerThatHangs(t *testing.T) {
	t.Parallel()
	key := newECDSA(t, "1")
	ci := newCI(t, key)
	a, clock := newAuthenticator(ci, &fixedTrusts{all: []catalog.Trust{trustIn(ci.URL, map[string]string{"project_path": "acme/tools"})}})
	if got, err := ask(t, a, ci, key); got != accepted {
		t.Fatalf("%s: %v", got, err)
	}
	release, begun := make(chan struct{}), make(chan struct{})
	ci.answer("/.well-known/openid-configuration", func(http.ResponseWriter, *http.Request) { close(begun); <-release })
	defer close(release)
	clock.forward(2 * time.Hour)
	first := make(chan outcome)
	go func() {
		got, _ := ask(t, a, ci, key)
		first <- got
	}()
	<-begun
	for range 5 {
		if got, err := ask(t, a, ci, key); got != accepted {
			t.Fatalf("%s: %v", got, err)
		}
	}
	select {
	case got := <-first:
		t.Errorf("the call that began the fetch returned before the others: %s", got)
	default:
	}
	if got := <-first; got != accepted {
		t.Errorf("the call that began the fetch: %s", got)
	}
}
