package awsidentity_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/google/go-cmp/cmp"

	"repomill/pipelines/awsidentity"
	"repomill/testdata/awstest"
)

const role = "arn:aws:iam::123456789012:role/repomill-ops-serve"

func TestMain(m *testing.M) {
	awsidentity.HurryUp()
	os.Exit(m.Run())
}

// An sts answers AssumeRoleWithWebIdentity with a new access key each time.
type sts struct {
	sync.Mutex
	requests []url.Values
	lasts    time.Duration
	refuses  string // the code of an error; empty for none
}

func (s *sts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.requests = append(s.requests, r.PostForm)
	w.Header().Set("Content-Type", "text/xml")
	if s.refuses != "" {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>refused</Message></Error></ErrorResponse>", s.refuses)
		return
	}
	type credentials struct {
		AccessKeyId, SecretAccessKey, SessionToken string
		Expiration                                 time.Time
	}
	xml.NewEncoder(w).Encode(struct { //nolint:errcheck // the client sees it
		XMLName     xml.Name    `xml:"AssumeRoleWithWebIdentityResponse"`
		Credentials credentials `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}{Credentials: credentials{fmt.Sprintf("ASIA%d", len(s.requests)), "secret", "session", time.Now().Add(s.lasts)}})
}

// start runs STS and a metadata server, and returns them with flags that use both.
func start(t *testing.T, lasts time.Duration) (*sts, *awstest.Metadata, awsidentity.Flags) {
	t.Helper()
	s := &sts{lasts: lasts}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "AKIASTATIC", "AWS_SECRET_ACCESS_KEY": "must not be used", "AWS_REGION": "", "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	m := awstest.StartMetadata(t)
	return s, m, awsidentity.Flags{AWSIdentity: awsidentity.Google, AWSAudience: "sts.acme.example", AWSRole: role, MetadataHost: m.Host}
}

func TestLoadTakesTheRole(t *testing.T) {
	s, m, flags := start(t, time.Hour)
	cfg, err := awsidentity.Load(flags.Use(t.Context()), config.WithRegion("eu-central-1"))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // which need no other request
		if c, err := cfg.Credentials.Retrieve(t.Context()); err != nil || c.AccessKeyID != "ASIA1" || c.SessionToken != "session" {
			t.Errorf("got %s, %v; want the role's credentials", c.AccessKeyID, err)
		}
	}
	want := []url.Values{{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role}, "RoleSessionName": {"repomill"}, "WebIdentityToken": {m.Token(1)},
	}}
	if diff := cmp.Diff(want, s.requests); diff != "" {
		t.Errorf("requests of STS (-want +got):\n%s", diff)
	}
	if got := <-m.Audiences; got != "sts.acme.example" {
		t.Errorf("the token is for %q", got)
	}
}

func TestLoadRenewsCredentials(t *testing.T) {
	s, m, flags := start(t, 4*time.Minute) // less than the time before their end at which they are renewed
	cfg, err := awsidentity.Load(flags.Use(t.Context()), config.WithRegion("eu-central-1"))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := cfg.Credentials.Retrieve(t.Context()); err != nil || c.AccessKeyID != "ASIA2" {
		t.Errorf("got %s, %v; want new credentials", c.AccessKeyID, err)
	}
	if len(s.requests) != 2 || s.requests[1].Get("WebIdentityToken") != m.Token(2) {
		t.Errorf("the second request has an old token: %v", s.requests)
	}
}

func TestLoadLeavesOtherIdentitiesToTheSDK(t *testing.T) {
	s, _, flags := start(t, time.Hour)
	flags.AWSIdentity = "default"
	for name, f := range map[string]awsidentity.Flags{"the flag's default": flags, "no flags": {}} {
		cfg, err := awsidentity.Load(f.Use(t.Context()), config.WithRegion("eu-central-1"))
		if err != nil {
			t.Fatal(err)
		}
		if c, err := cfg.Credentials.Retrieve(t.Context()); err != nil || c.AccessKeyID != "AKIASTATIC" || len(s.requests) > 0 {
			t.Errorf("%s: got %s, %v", name, c.AccessKeyID, err)
		}
	}
}

func TestLoadSaysWhatToDo(t *testing.T) {
	answer := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Metadata-Flavor", "Google")
			w.WriteHeader(status)
			fmt.Fprint(w, text)
		}
	}
	for _, tt := range []struct {
		name     string
		metadata http.HandlerFunc
		refuses  string
		change   func(*awsidentity.Flags)
		requests int // of the metadata server
		want     string
	}{
		{"no role", nil, "", func(f *awsidentity.Flags) { f.AWSRole = "" }, 0, "set AWS_ROLE_ARN"},
		{"no metadata server", nil, "", func(f *awsidentity.Flags) { f.MetadataHost = "127.0.0.1:1" }, 0, "run this on a machine of Google"},
		{"no service account", answer(404, "not found"), "", nil, 1, "this machine or pod has no service account"},
		{"a metadata server that is starting", answer(503, ""), "", nil, 4, "is not ready; repeat it"},
		{"a service account that is disabled", answer(403, ""), "", nil, 1, "check that the service account exists"},
		{"another server", answer(200, "<html>log in</html>"), "", nil, 1, "gives no ID token"},
		{"a role that does not trust it", nil, "AccessDenied", nil, 1, "correct the trust, or AWS_ROLE_ARN"},
		{"a token that AWS refuses", nil, "InvalidIdentityToken", nil, 1, "accounts.google.com"},
		{"a role that is none", nil, "ValidationError", nil, 1, "that is not the ARN of a role"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, m, flags := start(t, time.Hour)
			s.refuses = tt.refuses
			if tt.metadata != nil {
				m.Answer.Store(&tt.metadata)
			}
			if tt.change != nil {
				tt.change(&flags)
			}
			_, err := awsidentity.Load(flags.Use(t.Context()), config.WithRegion("eu-central-1"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "--aws-identity google: ") {
				t.Errorf("got %v; want %q", err, tt.want)
			}
			if len(m.Audiences) != tt.requests {
				t.Errorf("%d requests for a token, want %d", len(m.Audiences), tt.requests)
			}
		})
	}
	t.Run("no region", func(t *testing.T) {
		_, _, flags := start(t, time.Hour)
		if _, err := awsidentity.Load(flags.Use(t.Context())); err == nil || !strings.Contains(err.Error(), "set AWS_REGION") {
			t.Error(err)
		}
	})
}
