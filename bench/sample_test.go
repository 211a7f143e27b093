package bench

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// ttl outlives every benchmark: nothing expires while it is measured.
const ttl = time.Hour

// instance is the i-th of a fleet with a hundred instances to a service.
func instance(i int) *muster.Instance {
	host := fmt.Sprintf("10.%d.%d.%d:8080", i>>16&255, i>>8&255, i&255)
	return &muster.Instance{
		Namespace: muster.DefaultNamespace,
		Service:   fmt.Sprintf("SERVICE-%d", i/100),
		ID:        host,
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: host}},
		Status:    muster.Up,
		Zone:      "eu-west-1a",
		Version:   "2.4.1",
		Metadata:  map[string]string{"team": "checkout", "build": "7"},
		Owner:     fmt.Sprintf("%026d", i),
	}
}

// nativePath is where in is found in the native API.
func nativePath(in *muster.Instance) string {
	return "/api/v1/namespaces/default/services/" + in.Service + "/instances/" + in.ID
}

// nativeBody is how in registers by the native API.
func nativeBody(tb testing.TB, in *muster.Instance) []byte {
	body, err := json.Marshal(nativewire.FromRegistration(in, ttl))
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// eurekaID is how Python's client names the i-th instance; eurekaPath is how it writes that in a path.
func eurekaID(i int) string {
	in := instance(i)
	host, port, _ := strings.Cut(in.ID, ":")
	return host + ":" + strings.ToLower(in.Service) + ":" + port
}

func eurekaPath(i int) string {
	return "/eureka/apps/" + instance(i).Service + "/" + strings.ReplaceAll(eurekaID(i), ":", "%3A")
}

// dirty is the lastDirtyTimestamp of every instance.
const dirty = "1763640000000"

// eurekaBody is how python-eureka-client 0.13.2 registers the i-th instance: its fields in its order.
func eurekaBody(i int) []byte {
	in := instance(i)
	host, port, _ := strings.Cut(in.ID, ":")
	service := strings.ToLower(in.Service)
	url := "http://" + in.ID
	return fmt.Appendf(nil, `{"instance": {"instanceId": %q, "hostName": %q, "app": %q, "ipAddr": %q, `+
		`"port": {"$": %s, "@enabled": "true"}, "securePort": {"$": 9443, "@enabled": "false"}, "countryId": 1, `+
		`"dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"}, `+
		`"leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 3600, "registrationTimestamp": 0, "lastRenewalTimestamp": 0, `+
		`"evictionTimestamp": 0, "serviceUpTimestamp": 0}, "metadata": {"management.port": %q, "zone": "default"}, `+
		`"homePageUrl": "%s/", "statusPageUrl": "%s/info", "healthCheckUrl": "%s/health", "secureHealthCheckUrl": "", `+
		`"vipAddress": %q, "secureVipAddress": %q, "isCoordinatingDiscoveryServer": "false", "status": "UP", `+
		`"overriddenstatus": "UNKNOWN", "lastUpdatedTimestamp": %q, "lastDirtyTimestamp": %q}}`,
		eurekaID(i), host, in.Service, host, port, port, url, url, url, service, service, dirty, dirty)
}

// eurekaRegistration is the request with which the i-th instance registers by Eureka's API.
func eurekaRegistration(i int) []byte {
	return pythons("POST", "/eureka/apps/"+instance(i).Service, "keep-alive", eurekaBody(i))
}

// nativeRegistration is the request with which the i-th instance registers by the native API.
func nativeRegistration(tb testing.TB) func(i int) []byte {
	return func(i int) []byte {
		in := instance(i)
		return message("PUT", nativePath(in), "application/json", nativeBody(tb, in))
	}
}

// handleIn reads the handle in the answer to a native registration.
func handleIn(tb testing.TB, body []byte) nativewire.Handle {
	var l nativewire.Lease
	if err := json.Unmarshal(body, &l); err != nil {
		tb.Errorf("lease %.100q: %v", body, err)
	}
	return l.Handle
}
