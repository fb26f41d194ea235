package queue

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/pubsub/v2"
)

const (
	// foreignDelay is how long a foreign message is held before it is nacked, so that Pub/Sub does not
	// deliver it again at once.
	foreignDelay = 10 * time.Second
	// maxForeign is the number of messages that are held so long. In a flood, others are held for a tenth of
	// that, so that notifications of the staging bucket still get through.
	maxForeign = maxOutstanding / 2
	// foreignLogInterval is the least time between two log lines about foreign messages.
	foreignLogInterval = time.Minute
)

// foreign counts messages that are not notifications of the staging bucket, and limits their log lines.
type foreign struct {
	count atomic.Int64
	slots chan struct{}

	mu     sync.Mutex
	logged time.Time
}

// refuse nacks a foreign message after a delay. It does not acknowledge it: if --events is wrong, the message is another
// consumer's, and must not be lost. A dead-letter topic collects messages that no consumer accepts.
func (p *PubSub) refuse(ctx context.Context, m *pubsub.Message, why string) {
	n := p.foreign.count.Add(1)
	p.logForeign(n, m.ID, why)
	delay := foreignDelay
	select {
	case p.foreign.slots <- struct{}{}:
		defer func() { <-p.foreign.slots }()
	default:
		delay /= 10
	}
	select {
	case <-time.After(delay):
	case <-ctx.Done():
	}
	m.Nack()
}

// logForeign logs the number of foreign messages, at most once in foreignLogInterval.
func (p *PubSub) logForeign(n int64, id, why string) {
	p.foreign.mu.Lock()
	defer p.foreign.mu.Unlock()
	if time.Since(p.foreign.logged) < foreignLogInterval {
		return
	}
	p.foreign.logged = time.Now()
	p.Log.Warn("messages are not notifications of the staging bucket, nacked: check that --events and --staging belong together, and that nothing else publishes to the topic",
		"subscription", p.name(), "bucket", p.bucket, "messages", n, "message", id, "why", why)
}
