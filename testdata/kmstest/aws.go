package kmstest

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// What every server takes.
const (
	Region    = "eu-west-1"
	accessKey = "repomill-test"
	secretKey = "repomill-test-secret"
)

// Env returns the environment in which a process finds the server's credentials and none of the user's.
func Env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey,
		"AWS_SESSION_TOKEN=", "AWS_PROFILE=", "AWS_REGION=", "AWS_DEFAULT_REGION=", "AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_KMS=",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_MAX_ATTEMPTS=2", // the SDK waits up to a second before the second one, and longer before a third
	}
}

// An AWS is a server that speaks AWS KMS's protocol. It is for this process and its children.
type AWS struct {
	faulty
	t        testing.TB
	Endpoint string // http://127.0.0.1:port
	Client   *kms.Client

	keys    map[string]*awsKey // by id; guarded by mu
	aliases map[string]string
}

type awsKey struct {
	key
	id, state string
	usage     types.KeyUsageType
}

var setEnv sync.Once

// StartAWS runs a fake until the test ends. It sets the environment of the process as [Env] has it.
func StartAWS(t testing.TB) *AWS {
	t.Helper()
	a := &AWS{t: t, keys: map[string]*awsKey{}, aliases: map[string]string{}}
	a.closed = make(chan struct{})
	front := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(func() {
		close(a.closed)
		front.CloseClientConnections()
		front.Close()
	})
	a.connect(front.URL)
	return a
}

// connect makes the client of an endpoint.
func (a *AWS) connect(endpoint string) {
	setEnv.Do(func() {
		for _, v := range Env() {
			name, value, _ := strings.Cut(v, "=")
			os.Setenv(name, value) //nolint:errcheck,usetesting // t.Setenv would forbid parallel tests
		}
	})
	a.Endpoint = endpoint
	a.Client = kms.New(kms.Options{
		BaseEndpoint: &a.Endpoint, Region: Region, Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
}

// NewKey makes a key for signatures and returns its id.
func (a *AWS) NewKey(spec types.KeySpec) string {
	return a.NewKeyFor(spec, types.KeyUsageTypeSignVerify)
}

// NewKeyFor makes a key for some use and returns its id.
func (a *AWS) NewKeyFor(spec types.KeySpec, usage types.KeyUsageType) string {
	a.t.Helper()
	out, err := a.Client.CreateKey(a.t.Context(), &kms.CreateKeyInput{KeySpec: spec, KeyUsage: usage})
	if err != nil {
		a.t.Fatal(err)
	}
	return aws.ToString(out.KeyMetadata.KeyId)
}

// URL returns the URL of a key.
func (a *AWS) URL(id string) string {
	return "awskms://" + id + "?" + url.Values{"region": {Region}, "endpoint": {a.Endpoint}}.Encode()
}

// ARN returns the name of a key in all the world.
func ARN(id string) string { return "arn:aws:kms:" + Region + ":000000000000:key/" + id }

// awsKinds are the kinds of keys that the fake makes, and the algorithms that AWS has for each.
var awsKinds = map[types.KeySpec]struct {
	kind       string
	algorithms []types.SigningAlgorithmSpec
}{
	types.KeySpecRsa2048:             {"rsa2048", rsaAlgorithms},
	types.KeySpecRsa3072:             {"rsa3072", rsaAlgorithms},
	types.KeySpecRsa4096:             {"rsa4096", rsaAlgorithms},
	types.KeySpecEccNistP256:         {"p256", []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha256}},
	types.KeySpecEccSecgP256k1:       {"p256", []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha256}}, // it is refused before its numbers are read
	types.KeySpecEccNistP384:         {"p384", []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha384}},
	types.KeySpecEccNistP521:         {"p521", []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha512}},
	types.KeySpecEccNistEdwards25519: {"ed25519", []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEd25519Sha512, types.SigningAlgorithmSpecEd25519PhSha512}},
	types.KeySpecSymmetricDefault:    {"", nil},
}

var rsaAlgorithms = []types.SigningAlgorithmSpec{
	types.SigningAlgorithmSpecRsassaPkcs1V15Sha256, types.SigningAlgorithmSpecRsassaPkcs1V15Sha384, types.SigningAlgorithmSpecRsassaPkcs1V15Sha512,
	types.SigningAlgorithmSpecRsassaPssSha256, types.SigningAlgorithmSpecRsassaPssSha384, types.SigningAlgorithmSpecRsassaPssSha512,
}

// hashOf returns the digest that an algorithm takes.
func hashOf(a types.SigningAlgorithmSpec) crypto.Hash {
	switch {
	case strings.HasSuffix(string(a), "256"):
		return crypto.SHA256
	case strings.HasSuffix(string(a), "384"):
		return crypto.SHA384
	}
	return crypto.SHA512
}

// An awsError is an answer that says no.
type awsError struct {
	status  int
	code    string
	message string
}

func (e awsError) Error() string { return e.code + ": " + e.message }

func refuse(code, format string, args ...any) error {
	return awsError{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// serve answers one request of AWS's JSON protocol, version 1.1.
func (a *AWS) serve(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	operation, ok := strings.CutPrefix(target, "TrentService.")
	var in awsRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !ok || !strings.Contains(r.Header.Get("Authorization"), "/"+Region+"/kms/aws4_request") {
		a.t.Errorf("kmstest: a request that is none of AWS KMS in %s: %q, %q, %v", Region, target, r.Header.Get("Authorization"), err)
	}
	fault := a.take(operation)
	if fault == Slow {
		select {
		case <-r.Context().Done():
		case <-a.closed:
		}
		panic(http.ErrAbortHandler)
	}
	answer, err := a.answer(operation, in, fault)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if e, ok := err.(awsError); ok { //nolint:errorlint // it is made here
		w.WriteHeader(e.status)
		answer = map[string]string{"__type": e.code, "message": e.message}
	}
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // the client may be gone
}

// awsRequest is of all operations.
type awsRequest struct {
	KeyId, TargetKeyId, AliasName string //nolint:revive // AWS's name
	KeySpec                       types.KeySpec
	KeyUsage                      types.KeyUsageType
	Message                       []byte
	MessageType                   types.MessageType
	SigningAlgorithm              types.SigningAlgorithmSpec
}

func (a *AWS) answer(operation string, in awsRequest, fault Fault) (any, error) {
	switch fault {
	case Refused:
		return nil, refuse("AccessDeniedException", "User: arn:aws:iam::000000000000:user/ci is not authorized to perform: kms:%s on resource: %s", operation, ARN(strings.TrimPrefix(in.KeyId, ARN(""))))
	case Throttled:
		return nil, refuse("ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
	case Busy:
		return nil, awsError{http.StatusInternalServerError, "KMSInternalException", "The request was rejected because an internal exception occurred."}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if operation == "CreateKey" {
		return a.create(in)
	}
	k, err := a.find(in.KeyId + in.TargetKeyId)
	if err != nil {
		return nil, err
	}
	switch operation {
	case "CreateAlias", "UpdateAlias":
		a.aliases[in.AliasName] = k.id
	case "DisableKey":
		k.state = "Disabled"
	case "EnableKey":
		k.state = "Enabled"
	case "ScheduleKeyDeletion":
		k.state = "PendingDeletion"
	case GetPublicKey:
		return k.publicKey()
	case Sign:
		return k.answerSign(in, fault)
	default:
		return nil, refuse("UnknownOperationException", "%s", operation)
	}
	return map[string]string{}, nil
}

func (a *AWS) create(in awsRequest) (any, error) {
	made, ok := awsKinds[in.KeySpec]
	if !ok {
		return nil, refuse("UnsupportedOperationException", "KeySpec %s is not supported", in.KeySpec)
	}
	k := &awsKey{id: fmt.Sprintf("00000000-0000-4000-8000-%012d", len(a.keys)+1), state: "Enabled", usage: in.KeyUsage}
	k.kind = string(in.KeySpec)
	if made.kind != "" {
		var err error
		if k.Signer, err = makeKey(made.kind); err != nil {
			return nil, refuse("KMSInternalException", "%v", err)
		}
	}
	a.keys[k.id] = k
	return map[string]any{"KeyMetadata": map[string]any{"KeyId": k.id, "Arn": ARN(k.id)}}, nil
}

func (a *AWS) find(id string) (*awsKey, error) {
	for name, target := range a.aliases {
		if id == name || strings.HasSuffix(id, ":"+name) {
			id = target
		}
	}
	k, ok := a.keys[strings.TrimPrefix(id, ARN(""))]
	if !ok {
		return nil, refuse("NotFoundException", "Key '%s' does not exist", ARN(id))
	}
	return k, nil
}

func (k *awsKey) usable() error {
	switch k.state {
	case "Disabled":
		return refuse("DisabledException", "%s is disabled.", ARN(k.id))
	case "PendingDeletion":
		return refuse("KMSInvalidStateException", "%s is pending deletion.", ARN(k.id))
	}
	if k.Signer == nil {
		return refuse("UnsupportedOperationException", "%s is not asymmetric.", ARN(k.id))
	}
	return nil
}

func (k *awsKey) publicKey() (any, error) {
	if err := k.usable(); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return nil, refuse("KMSInternalException", "%v", err)
	}
	return map[string]any{
		"KeyId": ARN(k.id), "KeySpec": k.kind, "KeyUsage": k.usage, "PublicKey": der, "SigningAlgorithms": awsKinds[types.KeySpec(k.kind)].algorithms,
	}, nil
}
