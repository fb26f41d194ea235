package pipelines

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"repomill/publish/keys"
	"repomill/publish/sign"
)

var (
	expiryDesc    = prometheus.NewDesc("repomill_signing_key_expiry_timestamp_seconds", "When a key that clients are given expires. A key that never does has no value.", []string{"fingerprint"}, nil)
	keyFileDesc   = prometheus.NewDesc("repomill_signing_key_file_errors", "1 for a file of signing keys that is not what this process signs with, such as one that cannot be read: its next start fails; 0 for a good one.", []string{"file"}, nil)
	notSignedDesc = prometheus.NewDesc("repomill_releases_not_signed_by", "Published releases that a key has not signed, although it should sign all.", []string{"fingerprint"}, nil)
)

// collectKeys measures the keys.
func (s *state) collectKeys(ctx context.Context, out chan<- prometheus.Metric) {
	for url, bad := range s.r.keys.measured(s.r.Config) {
		out <- prometheus.MustNewConstMetric(keyFileDesc, prometheus.GaugeValue, bad, url)
	}
	set, _ := s.r.Keys()
	for _, k := range set.Out() {
		public, err := sign.ReadPublic([]byte(k.Public))
		if err == nil && !public[0].Expires.IsZero() {
			out <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, float64(public[0].Expires.Unix()), k.Fingerprint)
		}
	}
	signing := set.With(keys.Signing)
	if len(signing) == 0 {
		return
	}
	signatures, err := s.r.Catalog.Signatures(ctx)
	if err != nil {
		return
	}
	for _, k := range signing {
		s.r.metrics.keyFailures.WithLabelValues(k.Fingerprint) // begins with 0
		missing := 0
		for _, g := range signatures {
			if signers, _, _ := strings.Cut(g.By, " "); !strings.Contains(signers, k.Fingerprint) {
				missing += g.Releases
			}
		}
		out <- prometheus.MustNewConstMetric(notSignedDesc, prometheus.GaugeValue, float64(missing), k.Fingerprint)
	}
}

// A NoKey says that nothing can be published, since none of the signing keys here can sign.
type NoKey struct{ why error }

func (n *NoKey) Error() string { return "no signing key can sign: " + n.why.Error() }

// Unwrap returns the reasons.
func (n *NoKey) Unwrap() error { return n.why }

// ready returns a [NoKey] if none of the private keys here can sign now.
func (k *keyring) ready(now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.signer == nil || k.set.Revision == 0 {
		return nil
	}
	here, err := k.signer.With(k.set.Publics()...).Keys()
	if err != nil {
		return err
	}
	switch {
	case k.current != nil && k.waits != nil:
		return &NoKey{errors.New(k.waits.String())}
	case k.current != nil && len(both(k.signing, k.usable)) == 0:
		return &NoKey{fmt.Errorf("only other workers have the keys that are to sign: %s", strings.Join(k.signing, ", "))}
	}
	var why []error
	for _, one := range here {
		known, err := k.set.Find(one.Fingerprint)
		switch {
		case err != nil:
			err = errors.New("clients were not given it")
		case known.Role == keys.Retired:
			err = errors.New("it is retired")
		case k.failing[one.Fingerprint].err != nil:
			err = fmt.Errorf("it fails: %w", k.failing[one.Fingerprint].err)
		default:
			err = one.ValidAt(now)
		}
		if err == nil {
			return nil
		}
		why = append(why, fmt.Errorf("key %s: %w", one.Fingerprint, err))
	}
	return &NoKey{errors.Join(why...)}
}
