package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A sender sends a file to a session of a store, in chunks (Cloud Storage documentation, "Resumable uploads"). After a cut it
// asks how much has arrived, and goes on there.
type sender struct {
	http    *http.Client
	url     string // a secret
	content content
	chunk   int64 // in bytes
	stall   time.Duration
	pause   time.Duration // after the first fault; it doubles
	reached bool          // the store has answered
}

// errSessionOver says that a session ended, or that its name is taken.
var errSessionOver = errors.New("the session of the store is over")

// A closedError says that a store takes no files from here.
type closedError struct{ cause error }

// Error implements error.
func (e *closedError) Error() string { return "the store takes no files from here: " + e.cause.Error() }

// Unwrap returns the cause.
func (e *closedError) Unwrap() error { return e.cause }

// A passingError may go away.
type passingError struct{ error }

// maxFaults is how often in a row a sender may fail, without a byte that arrives.
const maxFaults = 5

// send sends the file.
func (s *sender) send(ctx context.Context) error {
	at, ask := int64(0), false
	for faults := 0; ; {
		to, done, err := s.request(ctx, at, ask)
		passing, mayPass := errors.AsType[passingError](err)
		switch {
		case done || err != nil && !mayPass:
			return err
		case err == nil && (ask || to > at):
			if to > at {
				faults = 0
			}
			at, ask = to, false
			continue
		case err == nil:
			passing.error = errors.New("nothing of what is sent arrives")
		}
		if faults++; faults > maxFaults {
			return &closedError{passing.error}
		}
		select {
		case <-time.After(s.pause << (faults - 1)):
		case <-ctx.Done():
			return ctx.Err()
		}
		ask = true
	}
}

// request sends the chunk from an offset on, or asks how much has arrived. It returns how much has, or that all of it is stored.
func (s *sender) request(ctx context.Context, at int64, ask bool) (to int64, done bool, err error) {
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	chunk := &part{from: at, shown: s.content.shown}
	size, span := int64(0), fmt.Sprintf("bytes */%d", s.content.size)
	if !ask {
		size = min(max(s.chunk, 256<<10), s.content.size-at)
		span = fmt.Sprintf("bytes %d-%d/%d", at, at+size-1, s.content.size)
		chunk.Reader = io.NewSectionReader(s.content.file, at, size)
	}
	timer := time.AfterFunc(s.stall, func() { cancel(errStalled) })
	defer timer.Stop()
	var body io.Reader = http.NoBody
	if !ask {
		body = &moving{r: chunk, timer: timer, stall: s.stall}
	}
	req, err := http.NewRequestWithContext(limited, http.MethodPut, s.url, body)
	if err != nil {
		return 0, false, err
	}
	req.ContentLength = size
	req.Header.Set("Content-Range", span)
	resp, err := s.http.Do(req)
	if err != nil {
		if ctx.Err() == nil && context.Cause(limited) == errStalled { //nolint:errorlint // it is this value
			err = errStalled
		}
		return 0, false, s.fault(ctx, err, ask || chunk.read.Load() > 0)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) //nolint:errcheck // so that the connection can be used again
	s.reached = true
	return s.answer(resp)
}

// answer reads the answer of the store.
func (s *sender) answer(resp *http.Response) (to int64, done bool, err error) {
	switch code := resp.StatusCode; {
	case code == http.StatusOK || code == http.StatusCreated:
		return 0, true, nil
	case code == http.StatusPermanentRedirect: // which Google means as "go on"
		_, last, ok := strings.Cut(resp.Header.Get("Range"), "-")
		if !ok {
			return 0, false, nil
		}
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 || n >= s.content.size {
			return 0, false, &closedError{fmt.Errorf("it has %.40q of the file", resp.Header.Get("Range"))}
		}
		return n + 1, false, nil
	case code == http.StatusNotFound || code == http.StatusGone || code == http.StatusPreconditionFailed:
		return 0, false, errSessionOver
	case code == http.StatusBadRequest:
		return 0, false, errors.New("the store refuses the file, because it is not what was measured before: it changed while it was sent")
	case code == http.StatusRequestTimeout || code == http.StatusTooManyRequests || code >= 500:
		return 0, false, passingError{errors.New("it answers " + resp.Status)}
	default:
		return 0, false, &closedError{errors.New("it answers " + resp.Status)}
	}
}

// fault returns the error for a request without an answer. If the store never answered, and nothing was sent, it cannot be
// connected to.
func (s *sender) fault(ctx context.Context, err error, sent bool) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failed, ok := errors.AsType[*url.Error](err); ok { // which has the URL
		err = failed.Err
	}
	if !s.reached && !sent {
		return &closedError{err}
	}
	return passingError{err}
}

// cancel ends the session, as far as the store can be reached.
func (s *sender) cancel(ctx context.Context) {
	if !s.reached {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, s.url, nil)
	if err != nil {
		return
	}
	if resp, err := s.http.Do(req); err == nil {
		resp.Body.Close()
	}
}

// host returns the host of the store, which is all of the URL that is shown.
func (s *sender) host() string {
	u, err := url.Parse(s.url)
	if err != nil {
		return "the store"
	}
	return cmp.Or(u.Host, "the store")
}

// A part of a file shows how far it is read.
type part struct {
	io.Reader
	from  int64
	shown func(at int64)
	read  atomic.Int64
}

// Read implements [io.Reader].
func (p *part) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.shown(p.from + p.read.Add(int64(n)))
	return n, err
}
