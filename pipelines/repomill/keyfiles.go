package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/pipelines/kms"
)

// privateFlags name the files and KMS keys with the private keys.
type privateFlags struct {
	SigningKey               []string `sep:"none" placeholder:"file:///PATH" help:"URL of the file with the keys that sign releases, if it is not in --data. May be repeated."`
	SigningKeyPassphraseFile string   `type:"path" placeholder:"FILE" help:"File with the passphrases of the signing keys, one per line."`
}

// urls returns the URLs of the private keys.
func (f privateFlags) urls(data string) []string {
	if len(f.SigningKey) == 0 {
		return []string{"file://" + data + "/signing-key.asc"}
	}
	return pipelines.SplitKeys(pipelines.JoinKeys(f.SigningKey))
}

// file returns the path of the first file of private keys.
func (f privateFlags) file(data string) (string, error) {
	for _, url := range f.urls(data) {
		if path, ok := strings.CutPrefix(url, "file://"); ok {
			return path, nil
		}
		if !kms.IsURL(url) {
			return "", command.Usage("--signing-key %s: name the file as file:///PATH", url)
		}
	}
	return "", command.Usage("--signing-key names no file: name one as file:///PATH")
}

// writeNew replaces a file with a secret atomically. The file gets mode 0600 and keeps its owner.
func writeNew(path string, body []byte) error {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if info, statErr := os.Stat(path); statErr == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
			err = errors.Join(err, f.Chown(int(owner.Uid), int(owner.Gid))) // the worker's user must be able to read it
		}
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(temp) //nolint:errcheck // the next call truncates it
		return err
	}
	return os.Rename(temp, path)
}
