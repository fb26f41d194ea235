package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A stager is where push puts files, and learns what became of them: a staging bucket or a server.
type stager interface {
	Put(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error)
	Stat(ctx context.Context, object string) (catalog.Upload, error)
	Verdict(ctx context.Context, object string) ([]byte, layout.Version, error)
	Close() error
}

// A server is a stager that is reached over HTTP, by the API of repomill.
type server struct {
	url   string // without a slash at its end
	token string
	http  *http.Client
	stall time.Duration // after which a body that does not get on is broken off
	asked *verdicts

	store      *http.Client  // for the store of the server's staging; it has no token
	directFrom int64         // size from which on a file is sent to that, in bytes
	closed     atomic.Bool   // it cannot be reached, or there are no sessions
	pause      time.Duration // after a fault of it, the first time; it doubles
	note       func(text string)
}

const (
	serverStall  = 2 * time.Minute
	serverAnswer = 5 * time.Minute // after the last byte: the server makes the file durable
)

func newServer(url, token string) *server {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is
	transport.ExpectContinueTimeout = 5 * time.Second
	transport.ResponseHeaderTimeout = serverAnswer
	transport.MaxIdleConnsPerHost = maxLongPolls
	s := &server{url: url, token: token, stall: serverStall, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a token is for one host
	}}
	s.asked = newVerdicts(s.ask)
	s.store, s.directFrom, s.pause, s.note = newStoreClient(), directFrom, time.Second, func(string) {}
	return s
}

// A serverReport is what the server says of an upload.
type serverReport struct {
	ID string `json:"id"`
	catalog.Verdict
}

// Put uploads a file: a large one past the server, to the store of its staging, if both allow that. The ID of the push is its
// Idempotency-Key, so that attempts of one push are one upload. The error is a [catalog.Rejection] if no retry helps.
func (s *server) Put(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error) {
	c, err := measure(body)
	if err != nil {
		return catalog.Upload{}, err
	}
	put := func() (catalog.Upload, error) {
		if c.file != nil && c.size >= s.directFrom && !s.closed.Load() {
			u, err := s.putDirectly(ctx, object, c, by)
			if !errors.Is(err, errNotDirectly) {
				return u, err
			}
		}
		return s.putThrough(ctx, object, body, c, by)
	}
	u, err := put()
	if _, want := layout.CutEmbargo(object); err == nil && want {
		if _, is := layout.CutEmbargo(u.Object); !is {
			return u, &catalog.Rejection{Reason: catalog.TrainEmbargo, Detail: "the server is older than embargoes, and has taken the file without one: drop it from the train, and upgrade the server"}
		}
	}
	return u, err
}

// putThrough sends a file to the server itself.
func (s *server) putThrough(ctx context.Context, object string, body io.Reader, c content, by catalog.Pusher) (catalog.Upload, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	moving := &moving{r: body, timer: time.AfterFunc(s.stall, func() { cancel(errStalled) }), stall: s.stall}
	defer moving.timer.Stop()
	req, err := s.request(ctx, http.MethodPut, object, "", io.NopCloser(moving), by)
	if err != nil {
		return catalog.Upload{}, err
	}
	c.describe(req)
	req.Header.Set("Expect", "100-continue")
	var r serverReport
	if err := s.do(req, &r); err != nil {
		if context.Cause(ctx) == errStalled { //nolint:errorlint // it is this value
			err = errStalled
		}
		return catalog.Upload{}, err
	}
	if c.file != nil && r.SHA256 != c.sha256 {
		return catalog.Upload{}, fmt.Errorf("the server has a file with SHA-256 %s, but %s was sent", r.SHA256, c.sha256)
	}
	return s.accepted(r), nil
}

// accepted returns an upload that the server has.
func (s *server) accepted(r serverReport) catalog.Upload {
	s.asked.add(r.Object, r.ID)
	return catalog.Upload{Object: r.Object, Generation: r.Generation, Size: r.Size}
}

// request returns a request about the place of an upload. The ID of the push is its Idempotency-Key.
func (s *server) request(ctx context.Context, method, object, query string, body io.Reader, by catalog.Pusher) (*http.Request, error) {
	object, embargo := layout.CutEmbargo(object)
	id, file := layout.CutID(path.Base(object))
	req, err := http.NewRequestWithContext(ctx, method, s.url+"/api/v1/upload/"+path.Dir(object)+"/"+url.PathEscape(file)+query, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Idempotency-Key", id)
	if train := layout.TrainOf(object); train != "" {
		req.Header.Set("Repomill-Train", train)
	}
	if layout.IsIfAbsent(object) {
		req.Header.Set("Repomill-If-Absent", "true")
	}
	if embargo {
		req.Header.Set("Repomill-Embargo", "yes")
	}
	if !strings.ContainsFunc(by.Job, unicode.IsControl) { // which no header field may have
		req.Header.Set("Repomill-Job", by.Job)
	}
	return req, nil
}

// do makes a call and decodes its answer.
func (s *server) do(req *http.Request, v any) error {
	resp, body, err := s.call(req)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return answered(resp, bytes.ReplaceAll(body, []byte(s.token), []byte("***"))) // what is between may show what it got
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s does not answer as repomill does: check --server", s.url)
	}
	return nil
}

// call makes a call. The body of the answer has been read.
func (s *server) call(req *http.Request) (*http.Response, []byte, error) {
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("User-Agent", command.UserAgent("repomill"))
	resp, err := s.http.Do(req)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return nil, nil, fmt.Errorf("%s cannot be reached; check --server and the network: %w", s.url, failed.Err)
	}
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp, body, err
}

// ask returns what is known of an upload, after the server has waited for the end of it. The token goes to the server that
// was named.
func (s *server) ask(ctx context.Context, id string, wait time.Duration) (v catalog.Verdict, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*longPoll)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/uploads/"+url.PathEscape(id)+"?wait="+wait.String(), nil)
	if err != nil {
		return v, err
	}
	var r serverReport
	err = s.do(req, &r)
	return r.Verdict, err
}

// Stat returns fs.ErrNotExist: no upload of a server has the name of another one.
func (s *server) Stat(context.Context, string) (catalog.Upload, error) {
	return catalog.Upload{}, fs.ErrNotExist
}

// Verdict returns what the server said last of an upload, or fs.ErrNotExist if no worker has begun with it.
func (s *server) Verdict(ctx context.Context, object string) ([]byte, layout.Version, error) {
	v, err := s.asked.last(ctx, object)
	if err != nil {
		return nil, "", err
	}
	if slices.Contains([]catalog.UploadState{"", staged}, v.State) {
		return nil, "", fs.ErrNotExist
	}
	body, err := json.Marshal(v)
	return body, "", err
}

// Fault returns why the server could not be asked last; nil if it could.
func (s *server) Fault() error { return s.asked.lastFault() }

// Close ends what is asked.
func (s *server) Close() error {
	s.asked.stop()
	s.http.CloseIdleConnections()
	s.store.CloseIdleConnections()
	return nil
}

// openServer checks the server's URL and finds the token.
func (c *Push) openServer(std Stdio) (stager, error) {
	if err := command.CheckURL("--server", c.Server); err != nil {
		return nil, err
	}
	if c.Staging != defaultStaging {
		return nil, command.Usage("--server %s and --staging %s: name one of them, in the environment, too", c.Server, layout.Shown(c.Staging))
	}
	u, err := url.Parse(c.Server)
	if err != nil {
		return nil, command.Usage("--server: %w", err)
	}
	token, err := c.findToken(u.Hostname())
	if err != nil {
		return nil, err
	}
	if host := u.Hostname(); u.Scheme == "http" && host != "localhost" && !strings.HasPrefix(host, "127.") && host != "::1" {
		fmt.Fprintf(std.Err, "warning: the token is sent to %s without encryption: use https\n", command.Printable(host))
	}
	s := newServer(strings.TrimRight(c.Server, "/"), token)
	s.note = func(text string) { fmt.Fprintln(std.Err, command.Printable(text)) }
	return s, nil
}
