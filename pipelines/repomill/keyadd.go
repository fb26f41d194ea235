package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/pipelines/kms"
	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/schemas/layout"
)

type keyAddCmd struct {
	keyFlags
	awaitFlags
	privateFlags
	actorFlags
	Name   string `default:"repomill signing key" help:"User ID of the new key: what clients are shown when they are asked to trust it."`
	Public string `type:"existingfile" placeholder:"FILE" help:"For a key in a KMS: its public half, armoured, if there is one already since the key was moved there."`
	URL    string `arg:"" optional:"" name:"url" help:"Key in a KMS: gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N or awskms://KEY-ID-OR-ARN?region=R."`
}

// Help says what comes before and after.
func (keyAddCmd) Help() string {
	return `Without a URL, it makes an RSA key of 4096 bits, which every client reads, in the file of signing keys: put the file where every
worker reads it, and back it up. Workers notice a changed file by themselves. A key that was made elsewhere
(gpg --export-secret-keys --armor) is put into the file by hand. With --signing-key-passphrase-file, the first passphrase of it protects
the new key.

A KMS keeps a private key and signs with it. OpenPGP clients need its public half, with a user ID and a time, which are
a part of the fingerprint: it is made once, signed by the key itself, and kept in the bucket, where workers find it. A
repeat finds what is there. Then name the URL in --signing-key of every worker, and start them again.

Make the key for signatures: in Google Cloud KMS with --purpose asymmetric-signing --default-algorithm
rsa-sign-pkcs1-4096-sha512, in AWS KMS with --key-usage SIGN_VERIFY --key-spec RSA_4096. This command and workers need
roles/cloudkms.signerVerifier on it, or kms:GetPublicKey and kms:Sign.

Examples:
  repomill key add
  repomill key add 'awskms://alias/releases?region=eu-west-1' --bucket 's3://out?region=eu-west-1' --name 'Acme packages'` + keyHelp
}

// Run adds a key, prints its fingerprint, and waits until clients are given it.
func (c *keyAddCmd) Run(ctx context.Context, io stdio) error {
	if c.URL != "" {
		return c.addRemote(ctx, io)
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	path, err := c.file(c.Data)
	if err != nil {
		return err
	}
	passphrases, err := pipelines.ReadPassphrases(c.SigningKeyPassphraseFile)
	if err != nil {
		return err
	}
	key, err := addToFile(path, c.Name, passphrases)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	if _, err := pipelines.ChangeKeys(ctx, s.bucket, s.db, func(set *keys.Set) error { set.Add(now, keys.Standby, key); return nil }); err != nil {
		return command.Fault(err)
	}
	fmt.Fprintf(io.out, "%s\n", key.Fingerprint)
	fmt.Fprintf(io.err, "It is in %s: back that up, and put it where every worker reads it. It signs once it is promoted: repomill key plan says from when.\n", path)
	return c.keys(ctx, s, io)
}

// addRemote makes the public half of a key in a KMS, or finds it.
func (c *keyAddCmd) addRemote(ctx context.Context, io stdio) error {
	if !kms.IsURL(c.URL) {
		return command.Usage("%q is not the URL of a key in a KMS: use gcpkms://projects/… or awskms://…", c.URL)
	}
	n := pipelines.NewKey{Name: c.Name, Now: time.Now()}
	var err error
	if c.Public != "" {
		if n.Public, err = os.ReadFile(c.Public); err != nil {
			return err
		}
	}
	table, err := layout.ReadTable(c.Distributions)
	if err != nil {
		return command.Usage("--distributions: %w", err)
	}
	bucket, err := c.openBucket(ctx)
	if err != nil {
		return err
	}
	defer bucket.Close() //nolint:errcheck // at the end
	key, err := pipelines.AddKey(ctx, bucket, c.URL, n)
	if err != nil {
		return command.Fault(err)
	}
	fmt.Fprintln(io.out, key.Fingerprint)
	if key.Made {
		fmt.Fprintf(io.err, "This is the fingerprint of a new public half, in %s of the bucket: back it up with the bucket.\n", key.Object)
	} else {
		fmt.Fprintf(io.err, "The public half was there already, in %s of the bucket.\n", key.Object)
	}
	for _, n := range keyNotices(keys.Key{Public: string(key.Public), Role: keys.Standby}, table.All()) {
		fmt.Fprintf(io.err, "Notice: %s.\n", n)
	}
	fmt.Fprintf(io.err, "Next: name it beside the keys that sign already: repomill worker --signing-key … --signing-key '%s'\n", c.URL)
	return nil
}

// addToFile makes a key, and puts it behind those of a file: protected by the first of the passphrases, if there are any.
func addToFile(path, name string, passphrases [][]byte) (sign.Key, error) {
	old, err := os.ReadFile(path)
	if err == nil {
		_, err = sign.ReadLocked(old, passphrases) // or it would be lost among others
	}
	if err != nil {
		return sign.Key{}, fmt.Errorf("signing key %s: %w", path, err)
	}
	signer, err := sign.Generate(name, signingKeyBits, time.Now())
	if err != nil {
		return sign.Key{}, err
	}
	armored, err := signer.Private()
	if err == nil && len(passphrases) > 0 {
		armored, err = signer.Lock(passphrases[0])
	}
	if err != nil {
		return sign.Key{}, err
	}
	all, err := signer.Keys()
	if err != nil {
		return sign.Key{}, err
	}
	if err := writeNew(path, bytes.Join([][]byte{bytes.TrimRight(old, "\n"), armored}, []byte("\n"))); err != nil {
		return sign.Key{}, command.Fault(fmt.Errorf("store signing key: %w", err))
	}
	return all[0], nil
}
