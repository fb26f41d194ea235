package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"repomill/schemas/catalog"
)

// directFrom is the size from which on a file is worth a session, in bytes: two calls more.
const directFrom = 16 << 20

// errNotDirectly says that a file has to be sent to the server itself.
var errNotDirectly = errors.New("the file has to pass the server")

// sessionTries is how many sessions one file is sent to, if they end before it has arrived.
const sessionTries = 3

// storeDial is how long the store may take to be connected to: it may be closed to this host.
const storeDial = 10 * time.Second

// newStoreClient returns a client for the store. Who may send there is in the URL, and a redirection is not followed.
func newStoreClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is
	transport.DialContext = (&net.Dialer{Timeout: storeDial, KeepAlive: 30 * time.Second}).DialContext
	transport.ResponseHeaderTimeout = serverAnswer
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// putDirectly sends a file to the store of the server's staging, in a session that the server begins. The error is
// errNotDirectly if there are no sessions, or the store cannot be reached from here.
func (s *server) putDirectly(ctx context.Context, object string, c content, by catalog.Pusher) (catalog.Upload, error) {
	for range sessionTries {
		begun, err := s.begin(ctx, object, c, by)
		if err != nil {
			return catalog.Upload{}, err
		}
		if begun.Session.URL == "" { // it is there, from an earlier attempt
			return s.accepted(begun.serverReport), nil
		}
		to := &sender{http: s.store, url: begun.Session.URL, content: c, chunk: begun.Session.Chunk, stall: s.stall, pause: s.pause}
		err = to.send(ctx)
		closed, isClosed := errors.AsType[*closedError](err)
		switch {
		case err == nil:
			return s.arrived(ctx, begun.ID, c)
		case errors.Is(err, errSessionOver):
			continue
		}
		to.cancel(ctx)
		if isClosed && ctx.Err() == nil {
			if !s.closed.Swap(true) {
				s.note(fmt.Sprintf("%s takes no files from here (%s): they are sent through the server", to.host(), closed.cause))
			}
			return catalog.Upload{}, errNotDirectly
		}
		return catalog.Upload{}, err
	}
	return catalog.Upload{}, fmt.Errorf("%d sessions of the store ended before the file had arrived", sessionTries)
}

// begunSession is the answer to who begins a session: where to send the file, or the upload that is there already.
type begunSession struct {
	serverReport
	Session struct {
		URL   string
		Chunk int64
	}
}

// begin begins a session for a file.
func (s *server) begin(ctx context.Context, object string, c content, by catalog.Pusher) (b begunSession, err error) {
	ctx, cancel := context.WithTimeout(ctx, serverAnswer)
	defer cancel()
	declared, err := json.Marshal(map[string]any{"size": c.size, "sha256": c.sha256, "crc32c": c.crc32c})
	if err != nil {
		return b, err
	}
	req, err := s.request(ctx, http.MethodPost, object, "?session", bytes.NewReader(declared), by)
	if err != nil {
		return b, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, body, err := s.call(req)
	switch {
	case err != nil:
		return b, err
	case resp.StatusCode == http.StatusNotImplemented || resp.StatusCode == http.StatusMethodNotAllowed: // of a folder, of an older server
		s.closed.Store(true)
		return b, errNotDirectly
	case resp.StatusCode/100 != 2:
		return b, answered(resp, body)
	case json.Unmarshal(body, &b) != nil || b.ID == "":
		return b, fmt.Errorf("%s does not answer as repomill does: check --server", s.url)
	case b.Session.URL != "" && !s.allowed(b.Session.URL):
		return b, fmt.Errorf("%s names a store that is not reached by https", s.url)
	}
	return b, nil
}

// allowed reports whether a file may be sent to a URL: with encryption, unless the server itself is reached without.
func (s *server) allowed(store string) bool {
	from, err := url.Parse(s.url)
	to, failed := url.Parse(store)
	return err == nil && failed == nil && to.Host != "" && (to.Scheme == "https" || to.Scheme == "http" && from.Scheme == "http")
}

// arrived returns an upload whose session is complete.
func (s *server) arrived(ctx context.Context, id string, c content) (catalog.Upload, error) {
	ctx, cancel := context.WithTimeout(ctx, longPoll)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/uploads/"+url.PathEscape(id), nil)
	if err != nil {
		return catalog.Upload{}, err
	}
	var r serverReport
	if err := s.do(req, &r); err != nil {
		return catalog.Upload{}, err
	}
	r.Size = c.size // which not every state says
	return s.accepted(r), nil
}
