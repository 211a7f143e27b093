package open

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Host is one of a URL's hosts.
type Host struct {
	Name string // a name or an IP address, without brackets
	Port string // "" when the URL states none
}

// String puts it together again.
func (h Host) String() string {
	if h.Port != "" {
		return net.JoinHostPort(h.Name, h.Port)
	}
	if strings.Contains(h.Name, ":") {
		return "[" + h.Name + "]"
	}
	return h.Name
}

// SplitHosts reads host[:port],host[:port],… with IPv6 addresses in brackets. net/url refuses such lists.
//
// Errors: a plain error that says what is wrong where; the caller knows the URL.
func SplitHosts(list string) ([]Host, error) {
	if list == "" {
		return nil, nil
	}
	var out []Host
	for rest, more := list, true; more; {
		var one string
		one, rest, more = strings.Cut(rest, ",")
		if len(out) == maxHosts {
			return nil, fmt.Errorf("more than %d hosts", maxHosts)
		}
		h, err := parseHost(one)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

func parseHost(s string) (Host, error) {
	var h Host
	if inner, ok := strings.CutPrefix(s, "["); ok {
		address, after, closed := strings.Cut(inner, "]")
		ip, err := netip.ParseAddr(strings.Replace(address, "%25", "%", 1))
		if !closed || err != nil || !ip.Is6() || len(ip.Zone()) > 32 || strings.ContainsAny(ip.Zone(), "%[]@/?#,") {
			return h, fmt.Errorf("%q is not an IPv6 address in brackets", clip(s))
		}
		h.Name = ip.String()
		if after == "" {
			return h, nil
		}
		if h.Port, ok = strings.CutPrefix(after, ":"); !ok {
			return h, fmt.Errorf("%q: a port follows a bracket after a colon", clip(s))
		}
		return h, checkPort(s, h.Port)
	}
	if strings.Count(s, ":") > 1 {
		return h, fmt.Errorf("%q: an IPv6 address is written in brackets, as in [::1]:8761", clip(s))
	}
	var stated bool
	h.Name, h.Port, stated = strings.Cut(s, ":")
	if err := checkName(s, h.Name); err != nil {
		return h, err
	}
	if stated {
		return h, checkPort(s, h.Port)
	}
	return h, nil
}

func checkName(s, name string) error {
	if name == "" {
		return fmt.Errorf("%q has no host: is there a comma too many?", clip(s))
	}
	if len(name) > 253 {
		return fmt.Errorf("a host name of %d bytes, at most 253 are allowed", len(name))
	}
	for i := range len(name) {
		c := name[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_') {
			return fmt.Errorf("%q: %q is not allowed in a host name", clip(s), c)
		}
	}
	return nil
}

func checkPort(s, port string) error {
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || port[0] == '+' {
		return fmt.Errorf("%q: port %q is not a number from 1 to 65535", clip(s), clip(port))
	}
	return nil
}

// hosts gives each host with its port, the default one where the URL states none.
func (u *URL) hosts(port string) ([]string, error) {
	if len(u.Hosts) == 0 {
		return nil, invalid("%s names no host; %s://127.0.0.1:%s/ is the shape", u, u.Scheme, port)
	}
	out := make([]string, len(u.Hosts))
	for i, h := range u.Hosts {
		if h.Port == "" {
			h.Port = port
		}
		out[i] = h.String()
	}
	return out, nil
}
