package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
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
	return s
}

// A serverReport is what the server says of an upload.
type serverReport struct {
	ID string `json:"id"`
	catalog.Verdict
}

// Put uploads a file. The ID of the push is its Idempotency-Key, so that attempts of one push are one upload. The error is
// a [catalog.Rejection] if no retry helps.
func (s *server) Put(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error) {
	id, file := layout.CutID(path.Base(object))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	moving := &moving{r: body, timer: time.AfterFunc(s.stall, func() { cancel(errStalled) }), stall: s.stall}
	defer moving.timer.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.url+"/api/v1/upload/"+path.Dir(object)+"/"+url.PathEscape(file), io.NopCloser(moving))
	if err != nil {
		return catalog.Upload{}, err
	}
	sum, err := measure(req, body)
	if err != nil {
		return catalog.Upload{}, err
	}
	req.Header.Set("Idempotency-Key", id)
	req.Header.Set("Expect", "100-continue")
	if !strings.ContainsFunc(by.Job, unicode.IsControl) { // which no header field may have
		req.Header.Set("Repomill-Job", by.Job)
	}
	var r serverReport
	if err := s.do(req, &r); err != nil {
		if context.Cause(ctx) == errStalled { //nolint:errorlint // it is this value
			err = errStalled
		}
		return catalog.Upload{}, err
	}
	if sum != "" && r.SHA256 != sum {
		return catalog.Upload{}, fmt.Errorf("the server has a file with SHA-256 %s, but %s was sent", r.SHA256, sum)
	}
	s.asked.add(r.Object, r.ID)
	return catalog.Upload{Object: r.Object, Generation: r.Generation, Size: r.Size}, nil
}

// A reading is a file that is read in another way than by itself, as with a progress bar.
type reading struct {
	io.Reader
	file *os.File
}

// measure sets the length and the digest of a request whose body is a file, and returns the digest. A file that changes
// while it is sent is refused by them.
func measure(req *http.Request, body io.Reader) (sum string, err error) {
	if r, ok := body.(reading); ok {
		body = r.file
	}
	f, ok := body.(*os.File)
	if !ok {
		return "", nil
	}
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if size == 0 { // which http takes for unknown
		req.Body = http.NoBody
	}
	req.ContentLength = size
	sum = hex.EncodeToString(h.Sum(nil))
	req.Header.Set("X-Checksum-Sha256", sum)
	return sum, err
}

// errStalled says that a connection did not get on.
var errStalled = errors.New("nothing was sent for two minutes")

// A moving body puts a timer off whenever some of it is read, and ends it when all is.
type moving struct {
	r     io.Reader
	timer *time.Timer
	stall time.Duration
}

// Read implements [io.Reader].
func (m *moving) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if err != nil {
		m.timer.Stop()
	} else {
		m.timer.Reset(m.stall)
	}
	return n, err
}

// do makes a call and decodes its answer.
func (s *server) do(req *http.Request, v any) error {
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("User-Agent", command.UserAgent("repomill"))
	resp, err := s.http.Do(req)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%s cannot be reached; check --server and the network: %w", s.url, failed.Err)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
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

// answered returns the error of an answer: a [catalog.Rejection] of the file, one that wraps fs.ErrPermission if the
// caller may not, or a fault.
func answered(resp *http.Response, body []byte) error {
	var sentence struct{ Error string }
	var fields fieldErrors
	json.Unmarshal(body, &sentence) //nolint:errcheck // a proxy's answer is none
	json.Unmarshal(body, &fields)   //nolint:errcheck // the same
	why := sentence.Error
	if why == "" {
		why = "the server answers " + resp.Status
	}
	reason := catalog.Reason(resp.Header.Get("Repomill-Reason"))
	switch code := resp.StatusCode; {
	case code == http.StatusUnprocessableEntity && reason != "":
		return &catalog.Rejection{Reason: reason, Detail: fields.String()}
	case code == http.StatusUnprocessableEntity:
		return errors.New(fields.String())
	case code == http.StatusRequestEntityTooLarge && sentence.Error != "":
		return &catalog.Rejection{Reason: catalog.TooLarge, Detail: why}
	case code == http.StatusRequestEntityTooLarge:
		return refusedError("a proxy before the server refuses a file of this size: let it through there (nginx: client_max_body_size 0)")
	case code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusNotFound:
		return refusedError(why)
	case code/100 == 3:
		return refusedError("the server redirects to " + layout.Shown(resp.Header.Get("Location")) + ": name that one with --server")
	}
	return errors.New(why)
}

// fieldErrors are what is wrong, by field.
type fieldErrors map[string][]string

// String returns all messages as one text.
func (f fieldErrors) String() string {
	var all []string
	for _, field := range slices.Sorted(maps.Keys(f)) {
		all = append(all, f[field]...)
	}
	return strings.Join(all, "; ")
}

// A refusedError is what a server answers to who may not do something; it wraps fs.ErrPermission.
type refusedError string

// Error implements error.
func (e refusedError) Error() string { return string(e) }

// Unwrap returns [fs.ErrPermission].
func (refusedError) Unwrap() error { return fs.ErrPermission }

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
	return newServer(strings.TrimRight(c.Server, "/"), token), nil
}
