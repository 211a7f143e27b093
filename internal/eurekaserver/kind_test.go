package eurekaserver_test

import (
	"net/http/httptest"
	"testing"

	"github.com/muster-go/muster/internal/eurekaserver"
)

func TestRequestsAreToldApartByTheirRoute(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		beat, act    bool
	}{
		{"PUT", "/eureka/apps/ORDERS/1", true, false},
		{"PUT", "/eureka/v2/apps/STATUS/status", true, false}, // an app and an instance of that name
		{"PUT", "/ns/prod/eureka/apps/WATCH/metadata?status=UP", true, false},
		{"PUT", "/eureka/apps/ORDERS/a%2Fstatus", true, false},
		{"PUT", "/eureka/apps/ORDERS/1/status?value=OUT_OF_SERVICE", false, true},
		{"PUT", "/eureka/apps/ORDERS/1/metadata?a=b", false, false},
		{"PUT", "/eureka/apps/status", false, false},
		{"POST", "/eureka/apps/HEARTBEATS", false, false},
		{"DELETE", "/eureka/apps/ORDERS/1", false, true},
		{"GET", "/eureka/apps/watch", false, false},
	} {
		r := httptest.NewRequest(tt.method, tt.path, nil)
		if b, a := eurekaserver.IsHeartbeat(r), eurekaserver.IsAct(r); b != tt.beat || a != tt.act {
			t.Errorf("%s %s: heartbeat %v, act %v", tt.method, tt.path, b, a)
		}
	}
}
