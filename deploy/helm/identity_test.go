package helm_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/testdata/s3test"
)

// A tokenService plays AWS's: it gives credentials of the S3 server for a role and a token.
type tokenService struct {
	url string

	mu    sync.Mutex
	taken map[string]bool // "ROLE with TOKEN for SESSION"
}

func startTokenService(t testing.TB) *tokenService {
	s := &tokenService{taken: map[string]bool{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// ServeHTTP answers AssumeRoleWithWebIdentity, without a session token: the S3 server of the tests has static keys alone.
func (s *tokenService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("Action") != "AssumeRoleWithWebIdentity" {
		http.Error(w, "unexpected "+r.FormValue("Action"), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.taken[fmt.Sprintf("%s with %s for %s", r.FormValue("RoleArn"), r.FormValue("WebIdentityToken"), r.FormValue("RoleSessionName"))] = true
	s.mu.Unlock()
	env := map[string]string{}
	for _, e := range s3test.Env() {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><Expiration>%s</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
		env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

// roles returns what was taken.
func (s *tokenService) roles() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]bool{}
	for k := range s.taken {
		all[k] = true
	}
	return all
}

// A token of an account is what the roles of AWS trust: its subject, for the audience of the values.
func accountToken(t *testing.T, c *control, namespace string) {
	out := c.kubectl("create", "token", "repomill-worker", "--audience=sts.amazonaws.com", "--namespace="+namespace)
	if out.Code != 0 {
		t.Fatal(out)
	}
	parts := strings.Split(strings.TrimSpace(out.Stdout), ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Aud []string
		Sub string
	}
	if err := json.Unmarshal(body, &claims); err != nil {
		t.Fatal(err)
	}
	if want := "system:serviceaccount:" + namespace + ":repomill-worker"; claims.Sub != want || len(claims.Aud) != 1 || claims.Aud[0] != "sts.amazonaws.com" {
		t.Errorf("the token is of %s for %s", claims.Sub, claims.Aud)
	}
}
