// Package pubsubtest runs Google's own fake of Pub/Sub on a loopback port.
//
// It keeps acknowledgement deadlines, redelivers what is given back at once, and knows dead-letter
// topics. It streams some 90 messages a second: nothing here is a benchmark.
package pubsubtest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
)

// Project is the project of all names.
const Project = "test-project"

// A Server is a Pub/Sub server with one topic. It is for this process and its children.
type Server struct {
	*pstest.Server
	t testing.TB

	ahead atomic.Int64 // of its clock, in nanoseconds
	mu    sync.Mutex   // never held when the server is asked: it asks for the time under a lock of its own
	subs  map[string]bool
}

// Start runs a server until the test ends. Options inject errors: see pstest.WithErrorInjection.
func Start(t testing.TB, opts ...pstest.ServerReactorOption) *Server {
	t.Helper()
	s := &Server{Server: pstest.NewServerWithAddress("127.0.0.1:0", opts...), t: t, subs: map[string]bool{}}
	t.Cleanup(func() { s.Close() })
	s.SetTimeNowFunc(func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) })
	s.topic("staging")
	return s
}

func topicName(id string) string { return "projects/" + Project + "/topics/" + id }

func (s *Server) topic(id string) {
	s.t.Helper()
	if _, err := s.GServer.CreateTopic(s.t.Context(), &pubsubpb.Topic{Name: topicName(id)}); err != nil {
		s.t.Fatal(err)
	}
}

// URL returns the URL of a subscription to the topic, which it creates unless it is there.
func (s *Server) URL(subscription string) string {
	s.t.Helper()
	s.subscribe(subscription, "staging", nil)
	return s.URLOf(subscription)
}

// URLOf returns the URL of a subscription that need not exist.
func (s *Server) URLOf(subscription string) string {
	return fmt.Sprintf("pubsub://%s/%s?endpoint=%s&insecure=true", Project, subscription, s.Addr)
}

// DeadLetterURL returns the URL of a subscription whose messages go to the subscription "dead" when they
// were delivered often enough. They may arrive there again and again.
func (s *Server) DeadLetterURL(subscription string, deliveries int32) string {
	s.t.Helper()
	s.topic("dead")
	s.subscribe("dead", "dead", nil)
	s.subscribe(subscription, "staging", &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topicName("dead"), MaxDeliveryAttempts: deliveries})
	return s.URLOf(subscription)
}

func subscriptionName(id string) string { return "projects/" + Project + "/subscriptions/" + id }

// Delete removes a subscription. Streams that read it learn of it when they are opened again, which
// SetStreamTimeout can make them do.
func (s *Server) Delete(subscription string) {
	s.t.Helper()
	if _, err := s.GServer.DeleteSubscription(s.t.Context(), &pubsubpb.DeleteSubscriptionRequest{Subscription: subscriptionName(subscription)}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) subscribe(id, topic string, dead *pubsubpb.DeadLetterPolicy) {
	s.t.Helper()
	s.mu.Lock()
	created := s.subs[id]
	s.subs[id] = true
	s.mu.Unlock()
	if created {
		return
	}
	_, err := s.GServer.CreateSubscription(s.t.Context(), &pubsubpb.Subscription{
		Name: subscriptionName(id), Topic: topicName(topic), AckDeadlineSeconds: 10, DeadLetterPolicy: dead,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// Publish sends a message to all subscriptions and returns its ID. It may be called concurrently.
func (s *Server) Publish(data []byte, attrs map[string]string) string {
	return s.Server.Publish(topicName("staging"), data, attrs)
}

// Advance makes the server's clock go ahead, so that deadlines pass.
func (s *Server) Advance(d time.Duration) { s.ahead.Add(int64(d)) }

// Acks returns how many times a message was acknowledged.
func (s *Server) Acks(id string) int { return s.history(id).acks }

// Deliveries returns how many times a message was delivered.
func (s *Server) Deliveries(id string) int { return s.history(id).deliveries }

// Nacks returns how many times a message was given back.
func (s *Server) Nacks(id string) int { return s.history(id).nacks }

// Leases returns how many times a message was kept from others for longer.
func (s *Server) Leases(id string) int { return s.history(id).leases }

// A history is what happened to a message.
type history struct{ acks, nacks, leases, deliveries int }

// history reads only fields that the server does not write at the same time.
func (s *Server) history(id string) history {
	m := s.Message(id)
	if m == nil {
		return history{}
	}
	h := history{acks: m.Acks, deliveries: m.Deliveries}
	for _, a := range m.Modacks {
		if a.AckDeadline == 0 {
			h.nacks++
		} else {
			h.leases++
		}
	}
	return h
}

// LogUnacked logs the messages that were not acknowledged.
func (s *Server) LogUnacked() {
	s.t.Helper()
	for _, m := range s.Messages() {
		if m.Acks == 0 {
			s.t.Logf("not acknowledged: %s, delivered %d times, %d deadlines: %v", m.ID, m.Deliveries, len(m.Modacks), m.Attributes)
		}
	}
}
