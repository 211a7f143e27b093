package main

import (
	"errors"
	"testing"

	"github.com/muster-go/muster"
)

func TestAddressCompletesEndpointsThatNameNoHost(t *testing.T) {
	for _, c := range []struct{ end, address, want string }{
		{":8080", "10.1.2.3", "10.1.2.3:8080"},
		{"0.0.0.0:8080", "10.1.2.3", "10.1.2.3:8080"},
		{"[::]:8080", "fd00::7", "[fd00::7]:8080"},
		{":8080", "orders-0.orders", "orders-0.orders:8080"},
		{"10.9.9.9:8080", "10.1.2.3", "10.9.9.9:8080"},
		{":8080", "", ":8080"},
	} {
		got, err := withAddress([]muster.Endpoint{{Scheme: "http", Address: c.end}}, c.address)
		if err != nil || got[0].Address != c.want || got[0].Scheme != "http" {
			t.Errorf("%q with %q: %v, %v; want %q", c.end, c.address, got, err, c.want)
		}
	}
}

func TestAddressThatIsNoneIsRefused(t *testing.T) {
	for _, address := range []string{"10.1.2.3:8080", "http://h", "[::1]", "a b"} {
		_, err := withAddress([]muster.Endpoint{{Scheme: "http", Address: ":8080"}}, address)
		if e, ok := errors.AsType[*exitError](err); !ok || e.code != exitUsage {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestAddressIsThePodsUnlessSomethingElseIsSaid(t *testing.T) {
	env := map[string]string{"POD_IP": "10.1.2.3"}
	for _, k := range settingKeys(func(name string) string { return env[name] }) {
		if k.Name == "register.address" && k.Default == "10.1.2.3" && k.Env == "MUSTER_ADDRESS" {
			return
		}
	}
	t.Error("register.address does not default to POD_IP")
}
