package pipelines_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// A journal keeps what a program logged last.
type journal struct {
	mu    sync.Mutex
	lines []string
}

// journalLines is how many lines a failed test shows.
const journalLines = 200

// Write takes a line.
func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, string(line))
	if len(j.lines) > 2*journalLines {
		j.lines = slices.Clone(j.lines[journalLines:])
	}
	return len(line), nil
}

func (j *journal) tail() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-journalLines):], "")
}

// keepJournal has a failed test show what the site logged, and the uploads that have no final verdict.
func (s *site) keepJournal() {
	j := &journal{}
	s.Log = slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.Ingester.Log = s.Log
	s.t.Cleanup(func() {
		if !s.t.Failed() {
			return
		}
		s.t.Logf("the site logged last:\n%s", j.tail())
		recent, err := s.Catalog.Recent(context.WithoutCancel(s.t.Context()), "", 1000)
		if err != nil {
			s.t.Logf("its uploads cannot be read: %v", err)
		}
		for _, v := range recent {
			if !v.State.Final() {
				s.t.Logf("not final: %+v", v)
			}
		}
	})
}
