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
	Name   string `default:"repomill signing key" help:"User ID of the new key. Clients show it when they ask whether to trust the key."`
	Public string `type:"existingfile" placeholder:"FILE" help:"For a key that was moved to a KMS: its existing public key, armoured."`
	URL    string `arg:"" optional:"" name:"url" help:"Key in a KMS: gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N or awskms://KEY-ID-OR-ARN?region=R."`
}

// Help describes keys in files and in a KMS.
func (keyAddCmd) Help() string {
	return `Without a URL, the command generates an RSA key of 4096 bits, which every client reads, and adds it to the file of signing keys. Copy
the file to every worker, and back it up. Workers notice a changed file by themselves. To use a key from elsewhere, add the output of
gpg --export-secret-keys --armor to the file. With --signing-key-passphrase-file, the first passphrase in it protects the new
key.

With the URL of a key in a KMS, the private key stays in the KMS, which signs with it. OpenPGP clients need its public key, with a
user ID and a creation time; the time is part of the fingerprint. The command creates the public key once, signed by the key
itself, and stores it in the bucket, where workers find it. A repeat finds the existing one. Then name the URL in --signing-key
of every worker, and restart them.

Create the key for signatures: in Google Cloud KMS with --purpose asymmetric-signing --default-algorithm
rsa-sign-pkcs1-4096-sha512, in AWS KMS with --key-usage SIGN_VERIFY --key-spec RSA_4096. This command and workers need
roles/cloudkms.signerVerifier on it, or kms:GetPublicKey and kms:Sign.

Examples:
  repomill key add
  repomill key add 'awskms://alias/releases?region=eu-west-1' --bucket 's3://out?region=eu-west-1' --name 'Acme packages'` + keyHelp
}

// Run adds a key, prints its fingerprint, and waits until clients get it.
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
	fmt.Fprintf(io.err, "The private key is in %s: back the file up, and copy it to every worker. The key signs once it is promoted: repomill key plan prints the date.\n", path)
	return c.keys(ctx, s, io)
}

// addRemote creates the public key of a key in a KMS, or finds the existing one.
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
		fmt.Fprintf(io.err, "A new public key is in %s of the bucket: back it up with the bucket.\n", key.Object)
	} else {
		fmt.Fprintf(io.err, "The public key exists already, in %s of the bucket.\n", key.Object)
	}
	for _, n := range keyNotices(keys.Key{Public: string(key.Public), Role: keys.Standby}, table.All()) {
		fmt.Fprintf(io.err, "Notice: %s.\n", n)
	}
	fmt.Fprintf(io.err, "Next: add it to the keys of every worker: repomill worker --signing-key … --signing-key '%s'\n", c.URL)
	return nil
}

// addToFile generates a key and appends it to a file of keys. The first passphrase, if there is one, protects it.
func addToFile(path, name string, passphrases [][]byte) (sign.Key, error) {
	old, err := os.ReadFile(path)
	if err == nil {
		_, err = sign.ReadLocked(old, passphrases) // a file that cannot be read is not written
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
