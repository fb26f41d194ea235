package cloudfront_test

import (
	"fmt"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"
)

func TestCustomPolicy(t *testing.T) {
	key := ecdsaKey(t)
	at := func(d time.Duration) *sdk.AWSEpochTime { return sdk.NewAWSEpochTime(noon.Add(d)) }
	hour := sdk.Condition{DateLessThan: at(time.Hour)}
	const uri = "/acme/tools/el/9/x86_64/hello-1-1.x86_64.rpm"
	for _, tt := range []struct {
		name, resource string
		condition      sdk.Condition
		want           string // in the reason; empty if good
	}{
		{"the URL itself", edge + uri, hour, ""},
		{"everything below a repository", edge + "/acme/tools/*", hour, ""},
		{"any scheme", "http*://d111.cloudfront.net/acme/tools/*", hour, ""},
		{"anything", "*", hour, ""},
		{"a question mark is one byte", edge + "/acme/tools/el/?/x86_64/*-1-?.x86_64.rpm", hour, ""},
		{"stars may stand for nothing", edge + uri + "**", hour, ""},
		{"a star is tried again", edge + "*x86_64*x86_64*rpm", hour, ""},
		{"a question mark is not nothing", edge + uri + "?", hour, "another URL"},
		{"another repository", edge + "/acme/tool/*", hour, "another URL"},
		{"another host", "https://evil.example.org/*", hour, "another URL"},
		{"a prefix without a star", edge + "/acme/tools/", hour, "another URL"},
		{"other case", edge + "/acme/Tools/*", hour, "another URL"},
		{"begun", edge + "/*", sdk.Condition{DateLessThan: at(time.Hour), DateGreaterThan: at(-time.Second)}, ""},
		{"any address", edge + "/*", sdk.Condition{DateLessThan: at(time.Hour), IPAddress: &sdk.IPAddress{SourceIP: "0.0.0.0/0"}}, ""},
		{"not begun", edge + "/*", sdk.Condition{DateLessThan: at(time.Hour), DateGreaterThan: at(time.Second)}, "not good until"},
		{"expired", edge + "/*", sdk.Condition{DateLessThan: at(0)}, "expired"},
		{"one address", edge + "/*", sdk.Condition{DateLessThan: at(time.Hour), IPAddress: &sdk.IPAddress{SourceIP: "192.0.2.1/32"}}, "address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			policy := &sdk.Policy{Statements: []sdk.Statement{{Resource: tt.resource, Condition: tt.condition}}}
			signed, err := sdk.NewURLSigner(keyID, key).SignWithPolicy(edge+uri, policy)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want != "" {
				wantRefusal(t, newVerifier(t, edge, key), requestURI(t, signed), noon, tt.want)
				return
			}
			if got, err := newVerifier(t, edge, key).Verify(requestURI(t, signed), noon); err != nil || "/"+got != uri {
				t.Errorf("got %q, %v, want %q", got, err, uri[1:])
			}
		})
	}
}

func TestCustomPolicyText(t *testing.T) {
	key := ecdsaKey(t)
	const end = `{"DateLessThan":{"AWS:EpochTime":4000000000}}`
	for _, tt := range []struct{ name, policy, want string }{
		{"not JSON", `hello`, "cannot be read"},
		{"nothing", ` `, "cannot be read"},
		{"no statement", `{"Statement":[]}`, "one statement"},
		{"two statements", `{"Statement":[{"Resource":"*","Condition":` + end + `},{"Resource":"*","Condition":` + end + `}]}`, "one statement"},
		{"two policies", `{"Statement":[{"Resource":"*","Condition":` + end + `}]}{}`, "one statement"},
		{"no end", `{"Statement":[{"Resource":"*","Condition":{}}]}`, "no end"},
		{"an unknown condition", `{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":4000000000},"Referer":"x"}}]}`, "cannot be read"},
		{"no resource", `{"Statement":[{"Condition":` + end + `}]}`, "another URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			uri := fmt.Sprintf("/acme/tools/gpgkey?Policy=%s&Signature=%s&Key-Pair-Id=%s&Hash-Algorithm=SHA256",
				encode([]byte(tt.policy)), encode(sha256Signature(t, key, tt.policy)), keyID)
			wantRefusal(t, newVerifier(t, edge, key), uri, noon, tt.want)
		})
	}
}
