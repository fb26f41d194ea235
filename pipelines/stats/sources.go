package stats

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Store lists and reads logs. It is used by one goroutine.
type Store interface {
	// List returns the logs, in order.
	List(ctx context.Context) ([]Log, error)

	// Open opens one of them, in the version that was listed. The caller closes it.
	Open(ctx context.Context, l Log) (io.ReadCloser, error)

	io.Closer
}

// A Log is one file or object.
type Log struct {
	Store string // URL with which [OpenStore] opens its store
	Name  string // key of an object, path of a file
	File  catalog.LogFile
	Size  int64 // bytes, as stored
	Grows bool  // lines may be added to it
}

// OpenStore opens logs: s3://bucket/prefix?region=R, gs://bucket/prefix, a path of a file or folder, or a pattern of paths.
func OpenStore(ctx context.Context, logs string) (Store, error) {
	switch scheme, rest, _ := strings.Cut(logs, "://"); {
	case scheme == "s3":
		b, err := objects.OpenBucket(ctx, logs)
		if err != nil {
			return nil, fmt.Errorf("logs: %w", err)
		}
		return &bucketStore{url: logs, bucket: b}, nil
	case scheme == "gs":
		u, err := url.Parse(logs)
		if err != nil {
			return nil, fmt.Errorf("logs %q: use gs://bucket/prefix", layout.Shown(logs))
		}
		prefix := strings.TrimPrefix(u.Path, "/")
		u.Path = ""
		b, err := objects.OpenStaging(ctx, u.String())
		if err != nil {
			return nil, fmt.Errorf("logs: %w", err)
		}
		return &stagingStore{url: logs, prefix: prefix, bucket: b}, nil
	case scheme == "file" && rest != "":
		return fileStore{rest}, nil
	case rest == "" && !strings.Contains(logs, "://"):
		return fileStore{logs}, nil
	default:
		return nil, fmt.Errorf("logs %q: use s3://bucket/prefix?region=R, gs://bucket/prefix, or a path", layout.Shown(logs))
	}
}

// IsLocal reports whether logs are files of this machine.
func IsLocal(logs string) bool {
	return !strings.HasPrefix(logs, "s3://") && !strings.HasPrefix(logs, "gs://")
}

// object returns an object of a place, such as "s3://logs". Its version never changes.
func object(store, place, key, version string, size int64) Log {
	id := fmt.Sprintf("%s/%d", version, size)
	return Log{Store: store, Name: key, Size: size, File: catalog.LogFile{Source: place + "/" + key, Identity: id, State: id}}
}

// A bucketStore has logs in S3.
type bucketStore struct {
	url    string
	bucket objects.Bucket
}

func (s *bucketStore) List(ctx context.Context) (all []Log, err error) {
	u, err := url.Parse(s.url)
	if err != nil {
		return nil, err
	}
	place := strings.TrimSuffix("s3://"+u.Host+"/"+strings.Trim(u.Path, "/"), "/")
	err = s.bucket.List(ctx, "", func(key string, meta layout.Meta) error {
		if !strings.HasSuffix(key, "/") && meta.Size > 0 {
			all = append(all, object(s.url, place, key, strings.Trim(string(meta.Version), `"`), meta.Size))
		}
		return nil
	})
	return inOrder(all), err
}

func (s *bucketStore) Open(ctx context.Context, l Log) (io.ReadCloser, error) {
	body, meta, err := s.bucket.Get(ctx, l.Name)
	if err != nil {
		return nil, err
	}
	if got := strings.Trim(string(meta.Version), `"`); fmt.Sprintf("%s/%d", got, meta.Size) != l.File.Identity {
		body.Close()
		return nil, errReplaced
	}
	return body, nil
}

func (s *bucketStore) Close() error { return s.bucket.Close() }

var errReplaced = errors.New("the log was replaced since it was listed; run the command again")

// A stagingStore has logs in Cloud Storage.
type stagingStore struct {
	url, prefix string
	bucket      objects.Staging
}

func (s *stagingStore) List(ctx context.Context) (all []Log, err error) {
	err = s.bucket.List(ctx, time.Time{}, func(u catalog.Upload) {
		if strings.HasPrefix(u.Object, s.prefix) && u.Size > 0 {
			all = append(all, object(s.url, "gs://"+s.bucket.Name(), u.Object, u.Generation, u.Size))
		}
	})
	return inOrder(all), err
}

func (s *stagingStore) Open(ctx context.Context, l Log) (io.ReadCloser, error) {
	generation, _, _ := strings.Cut(l.File.Identity, "/")
	body, _, err := s.bucket.Open(ctx, catalog.Upload{Bucket: s.bucket.Name(), Object: l.Name, Generation: generation, Size: l.Size})
	if errors.Is(err, catalog.ErrGone) {
		err = errReplaced
	}
	return body, err
}

func (s *stagingStore) Close() error { return s.bucket.Close() }

func inOrder(all []Log) []Log {
	slices.SortFunc(all, func(a, b Log) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// A fileStore has the files that a path names.
type fileStore struct{ pattern string }

func (s fileStore) List(context.Context) (all []Log, err error) {
	paths, err := filepath.Glob(s.pattern)
	if err != nil {
		return nil, fmt.Errorf("logs %q: %w", s.pattern, err)
	}
	if _, err := os.Lstat(s.pattern); err == nil { // a name with an asterisk in it
		paths = []string{s.pattern}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("logs %q: no file has this name", s.pattern)
	}
	for _, p := range paths {
		err := filepath.WalkDir(p, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			l, ok, err := fileLog(name)
			switch {
			case err != nil && name == s.pattern:
				return err
			case errors.Is(err, fs.ErrNotExist): // a server has rotated its logs since
				return nil
			case err != nil: // Open says why it is not counted: it must not hold up the others
				l, err = unreadLog(name)
				ok = err == nil
			}
			if ok {
				all = append(all, l)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("logs: %w", err)
		}
	}
	return inOrder(all), nil
}

// Open opens a file if it still begins with the line that it had: a server may have rotated its logs since.
func (fileStore) Open(_ context.Context, l Log) (io.ReadCloser, error) {
	f, err := openFile(l.Name)
	if err != nil {
		return nil, err
	}
	line, err := firstLine(f)
	if err == nil && lineDigest(line) != l.File.Identity {
		err = errReplaced
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (fileStore) Close() error { return nil }

// openFile opens a file for reading. It does not wait for the writer of a pipe.
func openFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// fileLog describes a file, if it has a line. A file is known by its folder and its first line, because servers give files other
// names, compress them and add to them.
func fileLog(name string) (l Log, ok bool, err error) {
	f, err := openFile(name)
	if err != nil {
		return l, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return l, false, err
	}
	line, err := firstLine(f)
	if err != nil || line == nil {
		return l, false, err
	}
	name, err = filepath.Abs(name)
	if err != nil {
		return l, false, err
	}
	return Log{Store: "file://" + name, Name: name, Size: info.Size(), Grows: true, File: catalog.LogFile{
		Source: filepath.Dir(name), Identity: lineDigest(line), State: fmt.Sprintf("%d/%d", info.Size(), info.ModTime().UnixNano()),
	}}, true, nil
}

// unreadLog describes a file whose first line cannot be read, such as one that a server is compressing.
func unreadLog(name string) (Log, error) {
	name, err := filepath.Abs(name)
	return Log{Store: "file://" + name, Name: name, Grows: true, File: catalog.LogFile{Source: filepath.Dir(name), Identity: "unread " + filepath.Base(name)}}, err
}

// firstLine returns the first line of a log, without comments; nil if there is none yet.
func firstLine(r io.Reader) ([]byte, error) {
	b, err := decompress(r)
	if err != nil {
		return nil, err
	}
	for {
		line, err := b.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil && len(line) == 0: // not one that is too long for the buffer
			return nil, err
		case len(bytes.TrimSpace(line)) > 0 && line[0] != '#':
			return bytes.Clone(line), nil
		}
	}
}

// lineDigest returns the digest of a line from its time on. Before it, servers write the address of the client and a user: nothing
// that is stored can be compared with these.
func lineDigest(line []byte) string {
	_, rest, ok := bytes.Cut(line, []byte(" ["))
	if !ok { // of CloudFront, whose lines have a random number of the request
		rest = line
	}
	sum := sha256.Sum256(rest)
	return hex.EncodeToString(sum[:])
}
