package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"repomill/pipelines"
	"repomill/pipelines/command"
)

// siteFlags name the resources that a publish needs.
type siteFlags struct {
	catalogFlags
	Bucket                   string   `placeholder:"s3://BUCKET?region=R" help:"URL of the published bucket, if it is not in --data."`
	SigningKey               []string `sep:"none" placeholder:"file:///PATH" help:"URL of the file with the keys that sign releases, if it is not in --data, or of a key in a KMS (gcpkms://, awskms://). May be repeated."`
	SigningKeyPassphraseFile string   `type:"path" placeholder:"FILE" help:"File with the passphrases of the signing keys, one per line."`
	Cache                    string   `type:"path" help:"Folder with room for the indexes of a release, on a local disk; default: the system's temporary folder."`
	PublicURL                string   `name:"public-url" placeholder:"https://NAME" help:"URL under which clients reach the resolver, if it is not the one in the published configuration."`
}

// open opens the resources that the flags name: all in --data, or all by URL.
func (f siteFlags) open(ctx context.Context) (*pipelines.Resources, error) {
	cfg, err := f.config()
	if err != nil {
		return nil, err
	}
	if err := checkBucket(cfg.Bucket); err != nil {
		return nil, err
	}
	db, err := f.catalogFlags.open(ctx) // pipelines.Open would create a missing one
	if err != nil {
		return nil, err
	}
	err = db.Ready(ctx)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, command.Fault(err)
	}
	if cfg.PublicURL, err = f.publicURL(ctx, cfg.Bucket); err != nil {
		return nil, err
	}
	r, err := pipelines.Open(ctx, cfg)
	if err != nil {
		return nil, command.Fault(err)
	}
	if err := r.CheckKey(ctx); err != nil {
		r.Close()
		return nil, command.Fault(err)
	}
	return r, nil
}

// catalogAlone reports whether the flags name a catalog and no other resource. Then only workers publish.
func (f siteFlags) catalogAlone() bool {
	return f.Catalog != "" && f.Bucket == "" && pipelines.JoinKeys(f.SigningKey) == ""
}

func (f siteFlags) config() (pipelines.Config, error) {
	given := 0
	for _, url := range []string{f.Catalog, f.Bucket, pipelines.JoinKeys(f.SigningKey)} {
		if url != "" {
			given++
		}
	}
	if given != 0 && given != 3 {
		return pipelines.Config{}, command.Usage("name all of --catalog, --bucket and --signing-key, or only the folder of repomill up with --data")
	}
	if given != 0 {
		if err := checkSigningKeys(f.SigningKey); err != nil {
			return pipelines.Config{}, err
		}
	}
	return pipelines.Config{
		Catalog:        cmp.Or(f.Catalog, "sqlite://"+f.Data+"/catalog.db"),
		Bucket:         cmp.Or(f.Bucket, "file://"+f.Data+"/bucket"),
		CacheDir:       f.Cache,
		SigningKey:     cmp.Or(pipelines.JoinKeys(f.SigningKey), "file://"+f.Data+"/signing-key.asc"),
		PassphraseFile: f.SigningKeyPassphraseFile,
	}, nil
}

// publicURL returns the URL under which clients reach the resolver.
func (f siteFlags) publicURL(ctx context.Context, bucketURL string) (string, error) {
	if f.PublicURL != "" {
		return strings.TrimRight(f.PublicURL, "/"), command.CheckURL("--public-url", f.PublicURL)
	}
	bucket, err := openBucket(ctx, bucketURL)
	if err != nil {
		return "", err
	}
	defer bucket.Close()
	url, err := publishedURL(ctx, bucket)
	if err != nil {
		return "", command.Fault(fmt.Errorf("--bucket: %w", err))
	}
	if url == "" {
		return "", command.Usage("the bucket has no published configuration with the URL of the resolver: name it with --public-url")
	}
	return url, nil
}
