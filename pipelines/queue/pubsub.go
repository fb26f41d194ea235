package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"repomill/schemas/layout"
)

const (
	// maxOutstanding is the number of messages that may be unsettled. It bounds memory; when it is reached,
	// no more are pulled.
	maxOutstanding = 1000
	// maxOutstandingBytes bounds the payloads of unsettled messages.
	maxOutstandingBytes = 64 << 20
	// maxExtension is how long the lease of an unsettled message is extended. Then Pub/Sub delivers it again.
	maxExtension = 24 * time.Hour
	// minLease is the least length of a lease: after a crash, Pub/Sub delivers the message again so much later.
	minLease = time.Minute
	// drainTime is how long Receive waits for events to be settled after ctx has ended.
	drainTime = 20 * time.Second
	// probeTime bounds the first request. Then Pub/Sub counts as unreachable.
	probeTime = 15 * time.Second
)

// A PubSub receives the notifications of a bucket from a Pub/Sub subscription. It needs the permission
// pubsub.subscriptions.consume on the subscription (roles/pubsub.subscriber). An ordinary subscription is sufficient:
// events may be out of order, and repeated.
type PubSub struct {
	Log *slog.Logger // slog.Default unless it is set before Receive

	client       *pubsub.Client
	project      string
	subscription string
	bucket       string
	foreign      foreign
}

// openPubSub opens the source of a pubsub:// URL and checks that it can be read.
func openPubSub(ctx context.Context, rawURL, bucket string) (*PubSub, error) {
	project, subscription, opts, err := parsePubSub(rawURL)
	if err != nil {
		return nil, fmt.Errorf("--events %q: %w", layout.Shown(rawURL), err)
	}
	client, err := pubsub.NewClient(ctx, project, opts...)
	if err != nil {
		return nil, fmt.Errorf("open --events: no Google credentials; set GOOGLE_APPLICATION_CREDENTIALS, "+
			"run where a service account is attached, or run \"gcloud auth application-default login\": %w", err)
	}
	p := &PubSub{Log: slog.Default(), client: client, project: project, subscription: subscription, bucket: bucket}
	p.foreign.slots = make(chan struct{}, maxForeign)
	if err := p.probe(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return p, nil
}

// parsePubSub reads a URL pubsub://project/subscription[?endpoint=host:port][&insecure=true].
func parsePubSub(rawURL string) (project, subscription string, opts []option.ClientOption, err error) {
	errForm := errors.New("use pubsub://project/subscription[?endpoint=host:port][&insecure=true]")
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return "", "", nil, errForm
	}
	subscription = strings.TrimPrefix(u.Path, "/")
	if subscription == "" || strings.Contains(subscription, "/") {
		return "", "", nil, errForm
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", "", nil, errForm
	}
	for key := range query {
		if key != "endpoint" && key != "insecure" {
			return "", "", nil, fmt.Errorf("parameter %q is unknown; %w", key, errForm)
		}
	}
	endpoint, plain := query.Get("endpoint"), query.Get("insecure")
	if plain != "" && plain != "true" && plain != "false" {
		return "", "", nil, fmt.Errorf("insecure is %q; use true or false", plain)
	}
	if endpoint != "" {
		opts = append(opts, option.WithEndpoint(endpoint))
	}
	if plain == "true" {
		if endpoint == "" {
			return "", "", nil, errors.New("insecure=true is for an emulator; name it with endpoint=host:port")
		}
		opts = append(opts, option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	}
	return u.Host, subscription, opts, nil
}

func (p *PubSub) name() string {
	return fmt.Sprintf("projects/%s/subscriptions/%s", p.project, p.subscription)
}

// probe modifies the deadlines of an empty list of messages: that needs the permission that Receive needs. Google
// may refuse the empty list, which proves the permission as well.
func (p *PubSub) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	err := p.client.SubscriptionAdminClient.ModifyAckDeadline(ctx, &pubsubpb.ModifyAckDeadlineRequest{Subscription: p.name(), AckDeadlineSeconds: 60})
	switch status.Code(err) {
	case codes.NotFound, codes.PermissionDenied, codes.Unauthenticated, codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return p.explain(err)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return p.explain(err)
	}
	return nil
}

// explain wraps an error with what the operator can do about it.
func (p *PubSub) explain(err error) error {
	if err == nil {
		return nil
	}
	what := "receive --events of " + p.name()
	switch code := status.Code(err); {
	case code == codes.NotFound:
		return fmt.Errorf("%s: there is no such subscription; check --events, or create it: %w", what, err)
	case code == codes.PermissionDenied:
		return fmt.Errorf("%s: grant pubsub.subscriptions.consume (roles/pubsub.subscriber) on it to the identity that this runs as: %w", what, err)
	case code == codes.Unauthenticated:
		return fmt.Errorf("%s: Google does not accept the credentials: %w", what, err)
	case code == codes.Unavailable || code == codes.DeadlineExceeded || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: Pub/Sub cannot be reached; check --events (its endpoint) and the network: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Close ends the connection. Receive must have returned.
func (p *PubSub) Close() error { return p.client.Close() }

// Foreign returns the number of messages so far that were not notifications of the staging bucket. A message counts
// each time that it is delivered.
func (p *PubSub) Foreign() int64 { return p.foreign.count.Load() }

// Receive implements [Source]. It calls f concurrently, with at most maxOutstanding events unsettled. The lease of an event
// is extended until it is settled, for up to maxExtension. When ctx ends, no more are pulled, and events that are not settled
// within drainTime are nacked. After a crash, Pub/Sub delivers them again when their lease ends. f must not block for
// long after ctx has ended.
func (p *PubSub) Receive(ctx context.Context, f func(Event)) error {
	s := p.client.Subscriber(p.subscription)
	s.ReceiveSettings = pubsub.ReceiveSettings{
		MaxExtension:               maxExtension,
		MinDurationPerAckExtension: minLease,
		MaxOutstandingMessages:     maxOutstanding,
		MaxOutstandingBytes:        maxOutstandingBytes,
		NumGoroutines:              1,
	}
	err := s.Receive(ctx, func(ctx context.Context, m *pubsub.Message) { p.deliver(ctx, m, f) })
	if ctx.Err() != nil {
		return nil
	}
	return p.explain(err)
}

// deliver calls f for a message and returns when it is settled. Until then the message counts as outstanding, and the client
// library extends its lease.
func (p *PubSub) deliver(ctx context.Context, m *pubsub.Message, f func(Event)) {
	u, kind, err := ParseNotification(m.Attributes, m.Data)
	switch {
	case err != nil:
		p.refuse(ctx, m, err.Error())
		return
	case u.Bucket != p.bucket:
		p.refuse(ctx, m, fmt.Sprintf("it is about bucket %.100q", u.Bucket))
		return
	case kind == Ignored:
		m.Ack()
		return
	}
	settled := make(chan struct{})
	var once sync.Once
	settle := func(final bool) {
		once.Do(func() {
			if final {
				m.Ack()
			} else {
				m.Nack()
			}
			close(settled)
		})
	}
	f(Event{Upload: u, Settle: settle})
	select {
	case <-settled:
		return
	case <-ctx.Done():
	}
	select {
	case <-settled:
	case <-time.After(drainTime):
		settle(false)
	}
}
