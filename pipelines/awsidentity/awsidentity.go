// Package awsidentity loads the configuration of AWS's SDK, with credentials for an identity that has no stored key.
//
// On Kubernetes and on Amazon's machines the SDK finds the identity itself. On Google's machines it does not: there the metadata
// server signs an ID token for the service account of the machine, which AWS STS exchanges for credentials of a role that
// trusts the account (AssumeRoleWithWebIdentity).
package awsidentity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// Google is the identity of the service account that Google's metadata server knows.
const Google = "google"

// Flags are the flags of a program that uses AWS. They hold no secret.
type Flags struct {
	AWSIdentity  string `name:"aws-identity" default:"default" enum:"default,google" help:"Who this is to AWS: default is what AWS's SDK finds, such as a web identity token or a profile; google is the service account of a machine of Google, which takes the role of --aws-role."`
	AWSAudience  string `name:"aws-audience" default:"sts.amazonaws.com" placeholder:"AUDIENCE" help:"With --aws-identity google: the audience that the role's trust asks for."`
	AWSRole      string `name:"aws-role" env:"AWS_ROLE_ARN" placeholder:"ARN" help:"With --aws-identity google: the role, which trusts the service account."`
	MetadataHost string `name:"gce-metadata-host" env:"GCE_METADATA_HOST" default:"169.254.169.254" hidden:""`
}

type contextKey struct{}

// Use returns a context in which [Load] uses the flags; ctx itself for the zero Flags.
func (f Flags) Use(ctx context.Context) context.Context {
	if f == (Flags{}) {
		return ctx
	}
	return context.WithValue(ctx, contextKey{}, f)
}

// Load returns the configuration of AWS's SDK with the identity that [Flags.Use] has put into the context: otherwise with that of
// AWS's default chain. For Google's it requests credentials once, so that a wrong setting is an error at start. Credentials are
// renewed five minutes before they end.
func Load(ctx context.Context, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	flags, _ := ctx.Value(contextKey{}).(Flags)
	if err != nil || flags.AWSIdentity != Google {
		return cfg, err
	}
	if flags.AWSRole == "" {
		return cfg, errors.New("--aws-identity google: no role is known; set AWS_ROLE_ARN to the role that trusts this machine's service account")
	}
	if cfg.Region == "" {
		return cfg, errors.New("--aws-identity google: no region is known; set AWS_REGION")
	}
	role := stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(cfg), flags.AWSRole, metadata{host: flags.MetadataHost, audience: flags.AWSAudience},
		func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = "repomill" })
	cfg.Credentials = aws.NewCredentialsCache(role, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute })
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return cfg, fmt.Errorf("--aws-identity google: take role %s: %s: %w", flags.AWSRole, advice(err), err)
	}
	return cfg, nil
}

// advice returns a clause that says what to do about an error.
func advice(err error) string {
	var server *metadataError
	var api smithy.APIError
	switch {
	case errors.As(err, &server):
		return server.advice()
	case !errors.As(err, &api):
		return "AWS STS cannot be reached; check the network and AWS_REGION"
	}
	switch api.ErrorCode() {
	case "AccessDenied":
		return "its trust does not name this machine's service account (aud and sub: the account's unique ID) with the audience of --aws-audience (oaud); correct the trust, or AWS_ROLE_ARN"
	case "InvalidIdentityToken", "ExpiredTokenException":
		return "AWS does not accept the token; check that the role's trust names accounts.google.com, and this machine's clock"
	case "ValidationError":
		return "that is not the ARN of a role; correct AWS_ROLE_ARN"
	}
	return "AWS STS refuses"
}
