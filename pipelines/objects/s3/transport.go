package s3

import (
	"context"
	"net"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	// stallTime is how long a connection may move no byte in either direction while somebody waits.
	// It is also how long the store may take to begin an answer.
	stallTime = time.Minute

	dialTime = 10 * time.Second
	idleTime = 30 * time.Second // of a connection that nobody uses; less than stallTime
)

// newHTTPClient returns a client whose connections cannot hang for ever. It speaks HTTP/1.1 alone: of
// an HTTP/2 connection, silence would say nothing, for a slow reader causes it as well.
func newHTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.DialContext = stallingDialer(stallTime)
		t.IdleConnTimeout = idleTime
		t.MaxIdleConnsPerHost = 32
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

// A conn ends with a time-out if a Read or Write waits for stall without any byte moving. Time in which
// nobody reads, because the reader of a body is slow, does not count.
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

// Write implements [net.Conn]. While a request is written, a Read waits for its answer, and has to wait longer.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
