package pipelines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/pipelines/kms"
	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/schemas/layout"
)

// maxKeyring bounds a file of public keys, in bytes.
const maxKeyring = 1 << 20

// A BadKey says why nothing may be signed with a key.
type BadKey struct {
	err error
}

func (b *BadKey) Error() string { return b.err.Error() }

// Unwrap returns the cause.
func (b *BadKey) Unwrap() error { return b.err }

// Permanent reports that no retry helps.
func (b *BadKey) Permanent() bool { return true }

// LogKeyAdvice says which of the private keys here are better replaced, once, when a process starts that goes on.
func (r *Resources) LogKeyAdvice() {
	if r.Config.SigningKey == "" {
		return
	}
	here, err := r.keys.signer.Keys()
	if err != nil {
		return // CheckKey says so
	}
	for _, k := range here {
		if a := k.Advice(); a != "" {
			r.Log.Warn("a signing key is better replaced", "key", k.Fingerprint, "why", a)
		}
	}
}

// CheckKey has the publisher sign with the keys that should. It returns a [BadKey] if none of the private keys here is
// one that clients of what is published trust, and other errors if the bucket does not say. Without private keys there is
// nothing to check. The first time, it makes the list of keys. Before all that it calls [Resources.CheckFormat].
func (r *Resources) CheckKey(ctx context.Context) error {
	if r.Config.SigningKey == "" {
		return nil
	}
	if err := r.CheckFormat(ctx); err != nil {
		return err
	}
	for _, err := range r.keys.leftClosed() {
		r.Log.Error("ALARM: a signing key is left out while another one can sign: its KMS gives no public key", "error", err)
	}
	for _, u := range r.keys.signer.Unfit() {
		r.Log.Warn("a signing key is left out", "key", u.Fingerprint, "why", u.Why)
	}
	set, err := r.readSet(ctx)
	if err != nil {
		return err
	}
	here, err := r.keys.signer.With(set.Publics()...).Keys() // whose life may have been extended elsewhere
	if err != nil {
		return err
	}
	err = r.checkUsable(here)
	if err == nil {
		err = r.probe()
	}
	if err != nil {
		return err
	}
	if set.Revision == 0 {
		set, err = r.firstSet(ctx, here)
	}
	if err == nil {
		err = r.checkMember(set, here)
	}
	if err == nil {
		err = r.RefreshKeys(ctx)
	}
	if err == nil {
		r.adviseKeys(ctx)
	}
	return err
}

// checkUsable returns a [BadKey] if no private key here can sign now.
func (r *Resources) checkUsable(here []sign.Key) error {
	var why []error
	for _, k := range here {
		err := k.ValidAt(time.Now())
		if err == nil {
			return nil
		}
		why = append(why, fmt.Errorf("key %s: %w", k.Fingerprint, err))
	}
	return &BadKey{fmt.Errorf("--signing-key: no key in %s can sign: %w; extend the life of one that has expired (repomill key extend), or put another one beside it that clients trust",
		shownKeys(r.Config.SigningKey), errors.Join(why...))}
}

// probe has the keys in a KMS sign something, since permission to look at them is not permission to sign.
func (r *Resources) probe() error {
	if len(r.keys.opened) == 0 {
		return nil
	}
	var failed []error
	now, fine := time.Now(), false
	for _, f := range r.keys.signer.Fingerprints() {
		_, err := r.keys.signer.Only([]string{f}).Detach(probeText, now)
		var failure *sign.Failure
		if errors.As(err, &failure) {
			failed = append(failed, failure)
			r.keys.fail(failure, now)
			r.Log.Error("ALARM: a signing key fails, and is left out while another one can sign", "key", f, "error", failure.Err)
		}
		fine = fine || err == nil
	}
	if fine {
		return nil
	}
	err := errors.Join(failed...)
	if kms.Unavailable(err) {
		return fmt.Errorf("--signing-key: %w", err)
	}
	return &BadKey{fmt.Errorf("--signing-key: %w", err)}
}

// checkMember returns a [BadKey] if none of the private keys here is one that clients were given.
func (r *Resources) checkMember(set keys.Set, here []sign.Key) error {
	out := keys.Fingerprints(set.Out())
	if len(out) == 0 {
		return &BadKey{fmt.Errorf("--signing-key: no key of the list in the bucket (%s) signs or stands by: restore an earlier version of that object", layout.KeysKey)}
	}
	if slices.ContainsFunc(here, func(k sign.Key) bool { return slices.Contains(out, k.Fingerprint) }) {
		return nil
	}
	why := fmt.Errorf("they were given %s", strings.Join(out, ", "))
	for _, k := range here {
		if known, err := set.Find(k.Fingerprint); err == nil {
			why = fmt.Errorf("%w; %s is %s", why, k.Fingerprint, known.Role)
		}
	}
	return r.stranger(here, "what is published", why)
}

func (r *Resources) stranger(here []sign.Key, of string, why error) error {
	var names []string
	for _, k := range here {
		names = append(names, k.Fingerprint)
	}
	return &BadKey{fmt.Errorf("--signing-key: the key %s in %s is not one that the clients of %s trust: restore the old key, or put both into the file (%w)",
		strings.Join(names, ", "), shownKeys(r.Config.SigningKey), of, why)}
}
