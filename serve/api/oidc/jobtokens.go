package oidc

import (
	"context"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve"
	"repomill/serve/api"
)

// JobTokenPrefix begins every token of [JobTokens]. A token of package serve follows, which leak scanners know.
const JobTokenPrefix = "rmj_"

// A JobTokenStore has the tokens of CI jobs.
type JobTokenStore interface {
	AddJobToken(ctx context.Context, t catalog.JobToken, now time.Time) error
	// JobToken returns the token with a digest, also one that has expired, those of its trusts that are there, and
	// whether there is one.
	JobToken(ctx context.Context, digest string) (t catalog.JobToken, trusts []catalog.Trust, found bool, err error)
}

// JobTokens issues tokens to CI jobs, as an [Issuer], and knows them, as an [api.Authenticator]. They keep the name and
// the URL of the job, and open what the trusts open that its ID token fitted: a trust that is removed ends them, too.
type JobTokens struct {
	Store JobTokenStore
	Now   func() time.Time

	strangers strangers
}

// IssueToken implements [Issuer] for principals of an [Authenticator].
func (j *JobTokens) IssueToken(ctx context.Context, p api.Principal, ttl time.Duration) (secret string, expires time.Time, err error) {
	secret, _ = serve.NewToken()
	secret = JobTokenPrefix + secret
	now := j.Now()
	expires = now.Add(ttl).UTC().Truncate(time.Millisecond)
	t := catalog.JobToken{SHA256: serve.TokenDigest(secret), Trusts: trustsOf(p), Name: p.Name, Job: p.Job, Expires: expires}
	return secret, expires, j.Store.AddJobToken(ctx, t, now)
}

// Authenticate implements [api.Authenticator].
func (j *JobTokens) Authenticate(ctx context.Context, credential string) (api.Principal, error) {
	rest, ok := strings.CutPrefix(credential, JobTokenPrefix)
	if !ok || !serve.IsToken(rest) {
		return api.Principal{}, api.ErrUnknownCredential
	}
	v, err := j.strangers.ask(credential, j.Now(), func() (verified, error) {
		p, err := j.find(ctx, credential)
		return verified{principal: p}, err
	})
	return v.principal, err
}

func (j *JobTokens) find(ctx context.Context, credential string) (api.Principal, error) {
	t, trusts, found, err := j.Store.JobToken(ctx, serve.TokenDigest(credential))
	switch {
	case err != nil:
		return api.Principal{}, err
	case !found:
		return api.Principal{}, api.ErrUnknownCredential
	case !j.Now().Before(t.Expires):
		return api.Principal{}, &refusal{"this token of a CI job expired at " + t.Expires.UTC().Format(time.DateTime) + " UTC: exchange another ID token"}
	case len(trusts) == 0:
		return api.Principal{}, &refusal{"the trust that this token of a CI job was issued for was removed: repomill trust list shows which there are"}
	}
	p := principalOf(trusts)
	p.Name, p.Job = t.Name, t.Job
	return p, nil
}

const principalPrefix = "trust:"

// principalOf returns a principal who may do what trusts allow. Its ID names them.
func principalOf(trusts []catalog.Trust) (p api.Principal) {
	var ids []string
	for _, t := range trusts {
		ids = append(ids, t.ID)
		p.Grants = append(p.Grants, api.Grant{Right: api.Right(t.Scope), Owner: t.Owner, Name: t.Name})
	}
	p.ID = principalPrefix + strings.Join(ids, "+")
	return p
}

// trustsOf returns the IDs of the trusts of a principal.
func trustsOf(p api.Principal) []string {
	return strings.Split(strings.TrimPrefix(p.ID, principalPrefix), "+")
}
