package eurekaserver

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/eurekawire"
)

func sample() echo {
	return echo{service: "orders", Instance: eurekawire.Instance{
		HostName: "host1", IPAddr: "10.0.0.7", Port: eurekawire.Port{Number: 8080, Enabled: true}, SecurePort: eurekawire.Port{Number: 443},
		CountryID: 1, DataCenter: eurekawire.DataCenter{Class: eurekawire.AmazonClass, Name: eurekawire.Amazon, Metadata: eurekawire.Pairs{{Key: "ami-id", Value: "a"}}},
		Lease: eurekawire.Lease{RenewalIntervalSecs: 30, DurationSecs: 90, ServiceUp: 7}, VIPAddress: "orders,b", SecureVIPAddress: "orders",
		HomePageURL: "http://host1:8080/", StatusPageURL: "http://10.0.0.7:8080/info", HealthCheckURL: "https://host1:443/health", SecureHealthCheckURL: "x",
		AppGroupName: "ORDERS", ASGName: "host1", Metadata: eurekawire.Pairs{{Key: "zone"}, {Key: ""}}, ActionType: eurekawire.Modified, LastDirty: -3, Coordinating: true,
	}}
}

func TestEchoIsReadBack(t *testing.T) {
	want := sample()
	b := want.append(nil)
	var got echo
	if err := got.read(b, "orders"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
	if plain, secure := echoAddresses(b, "orders"); plain != want.VIPAddress || secure != want.SecureVIPAddress {
		t.Errorf("addresses %q %q", plain, secure)
	}
	setEchoTimes(b, 11, 12, eurekawire.Added)
	want.LastDirty, want.Lease.ServiceUp, want.ActionType = 11, 12, eurekawire.Added
	if err := got.read(b, "orders"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("after setting times: %v\n got %+v\nwant %+v", err, got, want)
	}
	for n := range b {
		if err := got.read(b[:n], "orders"); err == nil {
			t.Errorf("the first %d bytes of %d are read", n, len(b))
		}
	}
}

// What Spring registers repeats its host, port and name; the encoding must not.
func TestEchoIsShort(t *testing.T) {
	e := sample()
	e.DataCenter = eurekawire.DataCenter{Class: eurekawire.DefaultClass, Name: eurekawire.MyOwn}
	e.VIPAddress, e.SecureHealthCheckURL, e.AppGroupName, e.ASGName = "orders", "", "", ""
	e.HostName, e.HomePageURL = "a-long-host-name.in-some.example", "http://a-long-host-name.in-some.example:8080/"
	e.HealthCheckURL, e.StatusPageURL = e.HomePageURL+"actuator/health", e.HomePageURL+"actuator/info"
	e.Metadata = eurekawire.Pairs{{Key: "management.port"}, {Key: "zone"}}
	if n := len(e.append(nil)); n > 170 {
		t.Errorf("%d bytes", n)
	}
}

func FuzzEcho(f *testing.F) {
	e := sample()
	f.Add(e.append(nil), "orders")
	f.Add((&echo{}).append(nil), "")
	f.Fuzz(func(t *testing.T, b []byte, service string) {
		var e, again echo
		if e.read(b, service) != nil {
			return
		}
		plain, secure := echoAddresses(b, service)
		if plain != e.VIPAddress || secure != e.SecureVIPAddress {
			t.Errorf("addresses %q %q, all of it says %q %q", plain, secure, e.VIPAddress, e.SecureVIPAddress)
		}
		if err := again.read(e.append(nil), service); err != nil || !reflect.DeepEqual(e, again) {
			t.Errorf("%v\n got %+v\nwant %+v", err, again, e)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, p := range []string{"/eureka/v2/apps/ORDERS/h%3Ao%2F1/status/", "/ns/a/eureka/vips/x,y", "/v2/apps/delta", "//", "/discovery/v2/instances/%zz"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		u, err := url.ParseRequestURI(p)
		if err != nil {
			return
		}
		rt, ok := parse(u)
		if !ok {
			return
		}
		if !Serves(u) || rt.what == 0 || rt.namespace == "" || strings.Contains(rt.namespace, "/") {
			t.Errorf("%q is %+v", p, rt)
		}
		needs := map[resource]bool{app: rt.app != "", instance: rt.app != "" && rt.id != "", anywhere: rt.id != ""}
		if full, there := needs[rt.what]; there && !full {
			t.Errorf("%q lacks a name: %+v", p, rt)
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add("status=UP&lastDirtyTimestamp=17", "lastDirtyTimestamp")
	f.Add("a=%zz&&b", "a")
	f.Fuzz(func(t *testing.T, query, name string) {
		got, ok, err := value(query, name)
		want, wantErr := url.ParseQuery(query)
		if wantErr != nil || err != nil || strings.ContainsAny(query, ";%+") || strings.ContainsAny(name, "&=;%+") {
			return
		}
		if ok != want.Has(name) && name != "" || ok && got != want.Get(name) {
			t.Errorf("%q of %q is %q, %v; net/url says %q", name, query, got, ok, want.Get(name))
		}
	})
}

func TestChecksumOfPartsIsThatOfTheWhole(t *testing.T) {
	var p presses
	for _, texts := range [][]string{{}, {""}, {"a"}, {"hello ", "", "world", strings.Repeat("x", 100_000)}} {
		parts := make([]part, len(texts))
		for i, s := range texts {
			parts[i] = p.press([]byte(s))
		}
		var sum checksum
		for i := range parts {
			sum.add(&parts[i])
		}
		whole := p.press([]byte(strings.Join(texts, "")))
		if sum.crc != whole.crc || int(sum.size) != whole.size {
			t.Errorf("%.20q: %x of %d, want %x of %d", texts, sum.crc, sum.size, whole.crc, whole.size)
		}
	}
}

func TestListsThatNobodyAsksForAreDropped(t *testing.T) {
	var s sheets
	now := time.Now()
	a, b := sheetKey{namespace: "a"}, sheetKey{namespace: "b"}
	s.get(a).asked.Store(now.UnixNano())
	s.get(b).asked.Store(now.Add(idleAfter).UnixNano())
	held := func(k sheetKey) bool { _, ok := s.byKey.Load(k); return ok }
	s.sweep(now.Add(idleAfter))
	if !held(a) || !held(b) {
		t.Error("dropped within the time")
	}
	s.sweep(now.Add(idleAfter + sweepEvery/2))
	if !held(a) {
		t.Error("looked too often")
	}
	s.sweep(now.Add(idleAfter + sweepEvery))
	if held(a) || !held(b) {
		t.Errorf("after %v without an asker: kept %v; asked for since: kept %v", idleAfter+sweepEvery, held(a), held(b))
	}
}
