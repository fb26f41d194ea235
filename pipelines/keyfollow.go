package pipelines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/publish"
	"repomill/publish/keys"
)

// RefreshKeys reads the private keys and the list of keys again, adds those that are new as standby keys, and has the
// publisher sign with those that should. Private keys that are not fit to take the place of those that were read before
// change nothing.
func (r *Resources) RefreshKeys(ctx context.Context) error {
	if r.Config.SigningKey == "" {
		return nil
	}
	read, err := r.keys.read(r.Config.AWS.Use(ctx), r.Bucket, r.Config)
	var file *BadKeyFile
	if err != nil {
		if errors.As(err, &file) {
			r.noteFiles(ctx, file)
		}
		return err
	}
	err = r.follow(ctx, read)
	var bad *BadKey
	switch {
	case read != nil && errors.As(err, &bad):
		file = &BadKeyFile{r.keys.files(r.Config), err}
		err = file
	case read != nil && err != nil:
		return err // the bucket, or the catalog, did not say whether they are good
	}
	r.noteFiles(ctx, file)
	return err
}

// follow goes by the list of keys, and by private keys that were just read, if there are any.
func (r *Resources) follow(ctx context.Context, read *privateKeys) error {
	signer := r.Signer()
	if read != nil {
		signer = read.signer
	}
	here, err := signer.Keys()
	if err != nil {
		return err
	}
	set, err := r.readSet(ctx)
	if err == nil && set.Revision == 0 {
		err = errNoSet
	}
	if err == nil {
		err = r.checkMember(set, here) // nothing of the file is given to clients if it is a stranger's
	}
	if err == nil && read != nil {
		err = r.takeKeys(ctx, set, read)
	}
	if err == nil && slices.ContainsFunc(here, set.Lacks) {
		set, err = ChangeKeys(ctx, r.Bucket, r.Catalog, func(s *keys.Set) error { s.Add(time.Now().UTC(), keys.Standby, here...); return nil })
	}
	if err != nil {
		return err
	}
	return r.useKeys(ctx, set)
}

// takeKeys has this process sign with private keys that were just read, if something can be signed then.
func (r *Resources) takeKeys(ctx context.Context, set keys.Set, read *privateKeys) error {
	known, err := readKnown(ctx, r.Catalog, r.Now(ctx))
	if err != nil {
		return err
	}
	known.from(r.keys.announcedAs(), read.signer.Fingerprints(), nil)
	if _, _, err := effective(set, known, time.Now()); err != nil {
		return r.noneLeft(set, err)
	}
	r.keys.take(read)
	r.AnnounceNow(ctx) // before clients are given a new key: who waited for that may promote it
	return nil
}

// noneLeft is the error of no key that can sign, with what to do.
func (r *Resources) noneLeft(set keys.Set, why error) error {
	todo := ""
	if signing := set.With(keys.Signing); len(signing) > 0 {
		todo = "; restore the old key there (" + strings.Join(keys.Fingerprints(signing), ", ") + ")"
	}
	return &BadKey{fmt.Errorf("--signing-key %s: %w%s", shownKeys(r.Config.SigningKey), why, todo)}
}

// useKeys has the publisher sign with those keys of a set that should.
func (r *Resources) useKeys(ctx context.Context, set keys.Set) error {
	known, err := readKnown(ctx, r.Catalog, r.Now(ctx))
	if err != nil {
		return err
	}
	held := r.keys.held()
	known.from(r.keys.announcedAs(), held, r.keys.left())
	signing, why, err := effective(set, known, time.Now())
	if err != nil {
		return r.noneLeft(set, err)
	}
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	r.logWait(waiting(set, known, signing), len(both(signing, held)) == 0, signing)
	if r.keys.current != nil && slices.Equal(signing, r.keys.signing) && set.Revision == r.keys.set.Revision && r.keys.used == r.keys.signer && slices.Equal(r.keys.usable, held) {
		return nil
	}
	var signer publish.Signer
	if only := r.keys.signer.With(set.Publics()...).Only(both(signing, held)); only != nil {
		signer = only
	}
	current, err := publish.NewKeys(set, signing, signer)
	if err != nil {
		return err
	}
	for _, w := range why {
		r.Log.Warn("a signing key does not sign", "key", w.Fingerprint, "why", w.Why)
	}
	if r.keys.current != nil && (!slices.Equal(signing, r.keys.signing) || set.Revision != r.keys.set.Revision) {
		r.Log.Info("keys changed: what is published is signed again", "signing", strings.Join(signing, " "))
	}
	r.keys.set, r.keys.signing, r.keys.used, r.keys.usable, r.keys.current = set, signing, r.keys.signer, held, &current
	r.Publisher.SetKeys(current)
	return nil
}

// logWait logs, once, that this worker publishes nothing, and why; and when it does again. The caller has the lock.
func (r *Resources) logWait(w *Wait, alone bool, signing []string) {
	was, wasAlone := r.keys.waits, r.keys.alone
	r.keys.waits, r.keys.alone = w, alone
	switch {
	case w != nil && (was == nil || was.String() != w.String()):
		args := []any{"keys", strings.Join(w.Keys, " "), "last_seen", w.Since.UTC().Format(time.RFC3339), "until", w.Until.UTC().Format(time.RFC3339), "then", strings.Join(w.Then, " "), "restore_to", shownKeys(r.Config.SigningKey)}
		if w.Why != nil {
			args = append(args, "error", w.Why)
		}
		if w.None != nil {
			args = append(args, "then_error", w.None)
		}
		r.Log.Error("ALARM: nothing is published: no running worker can sign with a key that is to. Put it back, and it signs at once; otherwise other keys sign from then on, if they can", args...)
	case w == nil && alone && (!wasAlone || was != nil):
		r.Log.Warn("this worker publishes nothing: only other workers have the keys that are to sign", "keys", strings.Join(signing, " "))
	case !alone && wasAlone:
		r.Log.Info("this worker publishes again: it has a key that is to sign", "keys", strings.Join(signing, " "))
	}
}
