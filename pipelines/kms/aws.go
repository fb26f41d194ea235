package kms

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"repomill/pipelines/awsidentity"
)

const (
	awsForm    = "awskms://KEY-ID-OR-ARN?region=R[&endpoint=URL][&profile=NAME]"
	awsInstead = "such as with --key-spec RSA_4096 --key-usage SIGN_VERIFY"
)

// awsSpecs are the supported key specs, with the algorithm and digest of their signatures.
var awsSpecs = map[types.KeySpec]struct {
	algorithm types.SigningAlgorithmSpec
	hash      crypto.Hash
}{
	types.KeySpecRsa2048:     {types.SigningAlgorithmSpecRsassaPkcs1V15Sha512, crypto.SHA512},
	types.KeySpecRsa3072:     {types.SigningAlgorithmSpecRsassaPkcs1V15Sha512, crypto.SHA512},
	types.KeySpecRsa4096:     {types.SigningAlgorithmSpecRsassaPkcs1V15Sha512, crypto.SHA512},
	types.KeySpecEccNistP256: {types.SigningAlgorithmSpecEcdsaSha256, crypto.SHA256},
	types.KeySpecEccNistP384: {types.SigningAlgorithmSpecEcdsaSha384, crypto.SHA384},
	types.KeySpecEccNistP521: {types.SigningAlgorithmSpecEcdsaSha512, crypto.SHA512},
	// The message of such a signature is the digest, as OpenPGP requires.
	types.KeySpecEccNistEdwards25519: {types.SigningAlgorithmSpecEd25519Sha512, crypto.SHA512},
}

// An awsPlace is a parsed awskms:// URL.
type awsPlace struct{ key, region, endpoint, profile string }

var (
	awsID  = regexp.MustCompile(`^(mrk-)?[0-9A-Za-z-]{1,128}$|^alias/[0-9A-Za-z/_-]{1,250}$`)
	awsARN = regexp.MustCompile(`^arn:[a-z-]+:kms:([a-z0-9-]+):[0-9]{12}:(key/(mrk-)?[0-9A-Za-z-]{1,128}|alias/[0-9A-Za-z/_-]{1,250})$`)
)

// parseAWS reads an awskms:// URL. An ARN has colons, which net/url takes for a port.
func parseAWS(rawURL string) (at awsPlace, err error) {
	rest, _ := strings.CutPrefix(rawURL, awsScheme+"://")
	key, rawQuery, _ := strings.Cut(rest, "?")
	arn := awsARN.FindStringSubmatch(key)
	if arn == nil && !awsID.MatchString(key) {
		return at, fmt.Errorf("%.300q is not a key id, a key ARN or alias/NAME; use %s", key, awsForm)
	}
	at.key = key
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return at, fmt.Errorf("read the URL's parameters: %w", err)
	}
	for name, values := range query {
		if len(values) != 1 {
			return at, fmt.Errorf("the URL has %s more than once", name)
		}
		if err := at.set(name, values[0]); err != nil {
			return at, err
		}
	}
	if arn != nil && at.region != "" && at.region != arn[1] {
		return at, fmt.Errorf("region=%s, but the key's ARN is of region %s: leave region out, or name the key of that region", at.region, arn[1])
	}
	if arn != nil {
		at.region = arn[1]
	}
	return at, nil
}

func (at *awsPlace) set(name, value string) error {
	switch name {
	case "region":
		at.region = value
	case "profile":
		at.profile = value
	case "endpoint":
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https"}, u.Scheme) || u.User != nil {
			return errors.New("endpoint: use http://host:port or https://host:port, without credentials")
		}
		at.endpoint = value
	default:
		return fmt.Errorf("unknown parameter %q; use %s", name, awsForm)
	}
	return nil
}

// An awsKey is a key and its client. The SDK retries requests as by default; AWS_MAX_ATTEMPTS and AWS_RETRY_MODE
// configure it.
type awsKey struct {
	client    *kms.Client
	id        string // that of the URL; the ARN after getPublicKey
	region    string
	algorithm types.SigningAlgorithmSpec
	message   types.MessageType
}

// openAWS opens a key of AWS KMS.
func (k *Key) openAWS(ctx context.Context, rawURL string) error {
	at, err := parseAWS(rawURL)
	if err != nil {
		return err
	}
	options := []func(*config.LoadOptions) error{config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(k.limits.attempt))}
	if at.region != "" {
		options = append(options, config.WithRegion(at.region))
	}
	if at.profile != "" {
		options = append(options, config.WithSharedConfigProfile(at.profile))
	}
	cfg, err := awsidentity.Load(ctx, options...)
	if err != nil {
		return fmt.Errorf("read the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return errors.New("no region is known; add ?region=R to the URL or set AWS_REGION")
	}
	a := &awsKey{id: at.key, region: cfg.Region, client: kms.NewFromConfig(cfg, func(o *kms.Options) {
		if at.endpoint != "" {
			o.BaseEndpoint = aws.String(at.endpoint)
		}
	})}
	k.sign = a.sign
	return a.getPublicKey(ctx, k)
}

// getPublicKey requests the public key, and checks that the key is supported.
func (a *awsKey) getPublicKey(ctx context.Context, k *Key) error {
	out, err := a.client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: aws.String(a.id)})
	if err != nil {
		return a.explain("get its public key", "kms:GetPublicKey", err)
	}
	spec, ok := awsSpecs[out.KeySpec]
	if !ok || out.KeyUsage != types.KeyUsageTypeSignVerify {
		return advice(fmt.Sprintf("it is %s for %s%s", out.KeySpec, out.KeyUsage, unverifiable), awsInstead)
	}
	if k.public, err = x509.ParsePKIXPublicKey(out.PublicKey); err != nil {
		return fmt.Errorf("read its public key: %w", err)
	}
	k.hash, a.algorithm, a.message = spec.hash, spec.algorithm, types.MessageTypeDigest
	if spec.algorithm == types.SigningAlgorithmSpecEd25519Sha512 {
		a.message = types.MessageTypeRaw
	}
	if arn := aws.ToString(out.KeyId); arn != "" {
		a.id = arn // an alias may be changed to another key
	}
	return nil
}

func (a *awsKey) sign(ctx context.Context, digest []byte) ([]byte, error) {
	out, err := a.client.Sign(ctx, &kms.SignInput{
		KeyId: aws.String(a.id), Message: digest, MessageType: a.message, SigningAlgorithm: a.algorithm,
	})
	if err != nil {
		return nil, a.explain("sign", "kms:Sign", err)
	}
	return out.Signature, nil
}
