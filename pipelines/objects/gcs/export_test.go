package gcs

import "time"

// SetStall makes requests count as stalled sooner.
func (s *Staging) SetStall(d time.Duration) { s.stall = d }

// SetChunk makes the requests of an upload smaller. The size in bytes is a multiple of 256 KiB.
func (s *Staging) SetChunk(size int) { s.chunk = size }
