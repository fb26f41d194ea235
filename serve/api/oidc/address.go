package oidc

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// special are networks that are not the public internet, besides those that [netip.Addr] knows: RFC 6890 and its
// successors.
var special = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10")

func prefixes(all ...string) (parsed []netip.Prefix) {
	for _, s := range all {
		parsed = append(parsed, netip.MustParsePrefix(s))
	}
	return parsed
}

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96") // IPv4 in the last four bytes
	sixToIV = netip.MustParsePrefix("2002::/16")    // IPv4 in bytes 2 to 5
)

// public reports whether an address is one of the public internet. An address that leads to an IPv4 address is judged
// by that one.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	b := a.AsSlice()
	switch {
	case nat64.Contains(a):
		a = netip.AddrFrom4([4]byte(b[12:]))
	case sixToIV.Contains(a):
		a = netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a.IsGlobalUnicast() && !a.IsPrivate() && !within(special, a)
}

func within(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a) })
}

// checkAddress returns the control function of a dialer that connects to public addresses, and to those of the
// networks. It sees the address that the name was resolved to, so a name that resolves to another address later gains nothing.
func checkAddress(networks []netip.Prefix) func(network, address string, c syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if a := to.Addr().Unmap().WithZone(""); !public(a) && !within(networks, a) {
			return fmt.Errorf("%s is not a public address: an issuer on a network of your own needs that network among those that are allowed", a)
		}
		return nil
	}
}
