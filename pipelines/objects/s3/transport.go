package s3

import (
	"context"
	"net"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	// stallTime is how long a connection may transfer no byte in either direction while a Read or Write waits. It is
	// also how long the store may take to begin an answer.
	stallTime = time.Minute

	dialTime = 10 * time.Second
	idleTime = 30 * time.Second // of a connection without requests; less than stallTime
)

// newHTTPClient returns a client whose connections time out when they stall. It uses HTTP/1.1 only: on an
// HTTP/2 connection, silence may also mean that the reader of a body is slow.
func newHTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.DialContext = stallingDialer(stallTime)
		t.IdleConnTimeout = idleTime
		t.MaxIdleConnsPerHost = 64 // more are closed after use
		t.ForceAttemptHTTP2 = false
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true)
	})
}

func stallingDialer(stall time.Duration) func(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: dialTime, KeepAlive: 30 * time.Second}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c, stall: stall}, nil
	}
}

// A conn returns a timeout if a Read or Write waits for stall and no byte is transferred. Time between the Reads of a slow
// reader does not count.
type conn struct {
	net.Conn
	stall time.Duration
}

// Read implements [net.Conn].
func (c *conn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements [net.Conn]. It extends the deadline of the concurrent Read, which waits for the answer.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
