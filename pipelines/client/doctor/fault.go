package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// A fault is why there was no answer. Its text is for people.
type fault struct {
	err  error
	host string
	via  proxy
}

func (f fault) Unwrap() error { return f.err }

func (f fault) Error() string {
	what, _ := f.explain()
	return what
}

// explain says what happened, and what to do about it.
func (f fault) explain() (what, advice string) {
	if w, a := f.certificate(); w != "" {
		return w, a
	}
	target, reach := f.host, "let this host reach "+f.host+" (firewall, network)"
	if f.via.url != nil {
		target = "the proxy " + f.via.url.Host + " (" + f.via.from + ")"
		reach = "check the proxy that is set in " + f.via.from + ", and that it lets this host reach " + f.host
	}
	dns, isDNS := errors.AsType[*net.DNSError](f.err)
	text := f.err.Error()
	switch {
	case isDNS && dns.IsNotFound:
		return fmt.Sprintf("the name %s cannot be resolved", dns.Name), "check its spelling, and /etc/resolv.conf; behind a proxy, set that for " + f.host
	case isDNS:
		return fmt.Sprintf("the name %s was not resolved: the name server does not answer", dns.Name), "check /etc/resolv.conf and the network"
	case errors.Is(f.err, syscall.ECONNREFUSED):
		return target + " refuses connections", reach
	case errors.Is(f.err, context.DeadlineExceeded), isTimeout(f.err):
		return target + " does not answer in time", reach
	case errors.Is(f.err, syscall.ECONNRESET), strings.HasSuffix(text, "EOF"):
		return target + " closes the connection without an answer", reach
	case strings.Contains(text, "malformed"): // what follows is the server's own, such as the signature of a redirect
		return target + " answers what is not HTTP", reach
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return f.host + " does not speak https there", "use http:// in the source, or the right port"
	case f.via.url != nil && strings.Contains(text, "Proxy Authentication Required"):
		return target + " wants a user and password", "set the proxy as http://USER:PASSWORD@" + f.via.url.Host
	case f.via.url != nil:
		return target + " did not connect: " + text, reach
	}
	return target + ": " + text, reach
}

// certificate explains faults of TLS; "" for others.
func (f fault) certificate() (what, advice string) {
	if e, ok := errors.AsType[x509.UnknownAuthorityError](f.err); ok {
		by := ""
		if e.Cert != nil {
			by = fmt.Sprintf(" (issued by %q)", e.Cert.Issuer.String())
		}
		return "this host does not know who issued the certificate of " + f.host + by,
			"install or update ca-certificates; if a firewall of your company opens TLS, add its certificate to those that the host trusts"
	}
	if e, ok := errors.AsType[x509.HostnameError](f.err); ok {
		names := "no name"
		if e.Certificate != nil && len(e.Certificate.DNSNames) > 0 {
			names = strings.Join(e.Certificate.DNSNames, ", ")
		}
		return fmt.Sprintf("the certificate of %s is for %s", f.host, names), "check the host name in the source; a wrong name server or a login page of the network answers like this, too"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](f.err); ok {
		if e.Reason == x509.Expired && e.Cert != nil {
			return fmt.Sprintf("by the clock of this host the certificate of %s is not valid: it is from %s until %s", f.host,
				e.Cert.NotBefore.UTC().Format(day), e.Cert.NotAfter.UTC().Format(day)), "check the clock of this host (timedatectl); if it is right, the operator of the server has to renew the certificate"
		}
		return "the certificate of " + f.host + " is not valid: " + e.Error(), "the operator of the server has to replace it"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](f.err); ok {
		return f.host + " does not speak TLS there", "use http:// in the source, or the right port"
	}
	if strings.Contains(f.err.Error(), "remote error: tls") || strings.Contains(f.err.Error(), "protocol version") {
		return "TLS with " + f.host + " fails: " + f.err.Error(), "something between breaks TLS: check the proxy and firewall"
	}
	return "", ""
}

const day = "2006-01-02"

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}
