package queue

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/pubsub/v2"
)

const (
	// foreignDelay is how long a message that is not ours is held before it is given back, so that
	// it does not come again at once.
	foreignDelay = 10 * time.Second
	// maxForeign is how many are held as long, half of what may be outstanding. In a flood of them, the
	// others are held for a tenth of that, and our own messages still get through.
	maxForeign = maxOutstanding / 2
	// foreignLog is how often they are told of.
	foreignLog = time.Minute
)

// foreign counts the messages that are not ours.
type foreign struct {
	count atomic.Int64
	slots chan struct{}

	mu   sync.Mutex
	told time.Time
}

// refuse gives a message back, later, without acknowledging it: whom it belongs to may be told by its
// dead-letter topic, or by the operator. It must not be lost because a URL is wrong here.
func (p *PubSub) refuse(ctx context.Context, m *pubsub.Message, why string) {
	n := p.foreign.count.Add(1)
	p.tell(n, m.ID, why)
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

// tell logs about messages that are not ours, at most once a minute.
func (p *PubSub) tell(n int64, id, why string) {
	p.foreign.mu.Lock()
	defer p.foreign.mu.Unlock()
	if time.Since(p.foreign.told) < foreignLog {
		return
	}
	p.foreign.told = time.Now()
	p.Log.Warn(fmt.Sprintf("%s delivers messages that are no notifications of bucket %q; they are given back: "+
		"check that --events and --staging belong together, and that nothing else publishes to the topic", p.name(), p.bucket),
		"messages", n, "message", id, "why", why)
}
