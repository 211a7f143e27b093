package probe

import (
	"net/netip"
	"testing"
)

func TestWhereAProberNeverConnects(t *testing.T) {
	for addr, ok := range map[string]bool{
		"10.0.0.7": true, "192.168.1.1": true, "172.16.0.1": true, "100.64.0.1": true, "8.8.8.8": true, "2a00:1450::1": true, "fd12:3456::1": true,
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "::ffff:127.0.0.1": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false,
		"169.254.169.254": false, "169.254.0.1": false, "::ffff:169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "64:ff9b::a9fe:a9fe": false,
		"fd00:ec2::254": false, "fd20:ce::254": false, "100.100.100.200": false, "168.63.129.16": false, "192.0.0.192": false,
		"0.0.0.0": false, "0.1.2.3": false, "::": false, "::ffff:0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "ff02::1": false,
		"64:ff9b:1::1": false, "2001::1": false, "64:ff9b::a00:7": true, "2002:a00:7::": true,
	} {
		if err := allowed(netip.MustParseAddr(addr), nil); (err == nil) != ok {
			t.Errorf("%s: %v, want allowed %v", addr, err, ok)
		}
	}
}

func TestWhatIsListedIsAllowed(t *testing.T) {
	listed := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fe80::/10")}
	for addr, ok := range map[string]bool{"127.0.0.1": true, "::ffff:127.0.0.1": true, "fe80::1%eth0": true, "::1": false, "169.254.169.254": false} {
		if err := allowed(netip.MustParseAddr(addr), listed); (err == nil) != ok {
			t.Errorf("%s: %v, want allowed %v", addr, err, ok)
		}
	}
}
