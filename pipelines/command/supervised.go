package command

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Supervised notifies systemd that the service is ready and, until ctx ends, that it is alive: each third of the unit's WatchdogSec=,
// if the server at the address answers a request, with any status. Without a server, nil, the process is alive as long as it
// runs. It returns when ctx has ended, and at once if systemd did not start the process with Type=notify.
func Supervised(ctx context.Context, server net.Listener) error {
	sent, err := daemon.SdNotify(false, daemon.SdNotifyReady)
	if err != nil || !sent {
		return err
	}
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return err
	}
	if limit > 0 {
		watch(ctx, limit/3, func(ctx context.Context) error { return answers(ctx, server) })
	}
	<-ctx.Done()
	_, err = daemon.SdNotify(false, daemon.SdNotifyStopping)
	return err
}

// watch sends a sign of life after each period in which alive returned nil, until ctx ends.
func watch(ctx context.Context, period time.Duration, alive func(context.Context) error) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		limited, cancel := context.WithTimeout(ctx, period)
		if alive(limited) == nil {
			daemon.SdNotify(false, daemon.SdNotifyWatchdog) //nolint:errcheck // systemd notices that it is missing
		}
		cancel()
	}
}

// answers returns nil if a server answers a request.
func answers(ctx context.Context, server net.Listener) error {
	if server == nil {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+server.Addr().String()+"/healthz", nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true} // a new connection is accepted, and no proxy is asked
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
