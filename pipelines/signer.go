package pipelines

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"repomill/pipelines/kms"
	"repomill/pipelines/objects"
	"repomill/publish/sign"
	"repomill/schemas/layout"
)

// JoinKeys makes one list of the URLs of signing keys, as a [Config] has it.
func JoinKeys(urls []string) string { return strings.Join(urls, ",") }

// nextKey begins the next URL of a list. A comma elsewhere is part of a path.
var nextKey = regexp.MustCompile(`, *[a-z]+://`)

// SplitKeys takes a list of the URLs of signing keys apart.
func SplitKeys(list string) []string {
	var urls []string
	begin := 0
	for _, at := range nextKey.FindAllStringIndex(list, -1) {
		urls = append(urls, list[begin:at[0]])
		begin = at[0] + 1
	}
	urls = append(urls, list[begin:])
	for i := range urls {
		urls[i] = strings.Trim(urls[i], " ")
	}
	return urls
}

// shownKeys returns a list of the URLs of signing keys as it may be printed.
func shownKeys(list string) string {
	var shown []string
	for _, url := range SplitKeys(list) {
		shown = append(shown, layout.Shown(url))
	}
	return strings.Join(shown, ", ")
}

// ReadSigner reads the signing keys that a file:// URL names. passphraseFile has the passphrases that protect them, one a
// line; empty, if none does.
func ReadSigner(url, passphraseFile string) (*sign.Signer, error) {
	path, ok := strings.CutPrefix(url, "file://")
	if !ok {
		return nil, fmt.Errorf("signing key %q: use file:///path/to/key.asc, or the URL of a key in a KMS: gcpkms://projects/… or awskms://…", layout.Shown(url))
	}
	armored, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	passphrases, err := ReadPassphrases(passphraseFile)
	if err != nil {
		return nil, err
	}
	s, err := sign.ReadLocked(armored, passphrases)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w; if the file was good before, restore it from its backup", path, err)
	}
	return s, nil
}

// ReadPassphrases returns those in a file, which is the value of --signing-key-passphrase-file; none for no file.
func ReadPassphrases(file string) ([][]byte, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--signing-key-passphrase-file: %w", err)
	}
	all, err := sign.Passphrases(text)
	if err != nil {
		return nil, fmt.Errorf("--signing-key-passphrase-file %s: %w", file, err)
	}
	return all, nil
}

// checkKeyFiles reads the files in a list of URLs, which may be empty.
func checkKeyFiles(list, passphraseFile string) error {
	for _, url := range SplitKeys(list) {
		if url == "" || kms.IsURL(url) {
			continue
		}
		if _, err := ReadSigner(url, passphraseFile); err != nil {
			return err
		}
	}
	return nil
}

// attach returns a signer of a key in a KMS, with the public half that is in the bucket.
func attach(ctx context.Context, bucket objects.Bucket, key *kms.Key, url string) (*sign.Signer, error) {
	name, err := publicHalfKey(key)
	if err != nil {
		return nil, err
	}
	public, err := readKeyring(ctx, bucket, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &BadKey{fmt.Errorf("signing key %s: its public half is not in the bucket; make it, once: repomill key add '%s' --bucket URL", key, url)}
	}
	if err != nil {
		return nil, fmt.Errorf("--bucket: the public half of signing key %s: %w", key, err)
	}
	s, err := sign.Attach(public, key)
	if err != nil {
		return nil, &BadKey{fmt.Errorf("signing key %s, with the public half in %s: %w", key, name, err)}
	}
	return s, nil
}

// publicHalfKey returns the key of the object with the public half of a key in a KMS.
func publicHalfKey(key *kms.Key) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", fmt.Errorf("signing key %s: %w", key, err)
	}
	sum := sha256.Sum256(der)
	return layout.SigningKeyKey(hex.EncodeToString(sum[:])), nil
}

// readKeyring returns an object with public keys, or fs.ErrNotExist.
func readKeyring(ctx context.Context, bucket objects.Bucket, key string) ([]byte, error) {
	body, _, err := bucket.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, maxKeyring))
}
