package probe

import (
	"fmt"
	"net/netip"
)

// Refused is that an address is one which a prober does not connect to.
type Refused struct {
	Address netip.Addr
	Why     string // "is loopback", …
}

// Error says which address and why.
func (r *Refused) Error() string {
	return fmt.Sprintf("%s %s: it is not probed unless --probe-allow lists it", r.Address, r.Why)
}

// Metadata services of clouds that are not link-local. What they answer to whoever asks from a machine is that machine's rights.
var metadataServices = [...]netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::254/128"),      // Amazon
	netip.MustParsePrefix("fd20:ce::254/128"),       // Google
	netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), // Oracle
	netip.MustParsePrefix("100.100.100.200/32"),     // Alibaba
	netip.MustParsePrefix("192.0.0.192/32"),         // Oracle, classic
	netip.MustParsePrefix("168.63.129.16/32"),       // Azure's host
}

// allowed is nil when a may be connected to: it is listed, or none of the kinds that are never meant by an instance which is on
// another machine. IPv4 inside IPv6, in any of the forms that a network translates back, counts as that IPv4 address.
func allowed(a netip.Addr, listed []netip.Prefix) error {
	inner := unwrapped(a)
	for _, p := range listed {
		if p.Contains(inner) || p.Contains(a.WithZone("")) {
			return nil
		}
	}
	if why := unfit(inner); why != "" {
		return &Refused{a, why}
	}
	return nil
}

func unfit(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "is loopback"
	case a.IsUnspecified() || a.Is4() && a.As4()[0] == 0:
		return "is no particular machine"
	case a.IsLinkLocalUnicast():
		return "is link-local, where clouds keep their metadata"
	case a.IsMulticast() || a.Is4() && a.As4()[0] >= 224:
		return "is no single machine"
	}
	for _, p := range metadataServices {
		if p.Contains(a) {
			return "is a cloud's metadata service"
		}
	}
	if localNAT64.Contains(a) || teredo.Contains(a) {
		return "leads to an IPv4 address that cannot be told from it"
	}
	return ""
}

// unwrapped is the IPv4 address that a stands for, or a itself without its zone.
func unwrapped(a netip.Addr) netip.Addr {
	a = a.WithZone("").Unmap()
	if a.Is4() {
		return a
	}
	b := a.As16()
	switch {
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	case nat64.Contains(a), compatible.Contains(a) && !a.IsLoopback() && !a.IsUnspecified():
		return netip.AddrFrom4([4]byte(b[12:16]))
	}
	return a
}

var (
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215: where in it the IPv4 address is, its network decides
	teredo     = netip.MustParsePrefix("2001::/32")      // RFC 4380
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291 §2.5.5.1
)
