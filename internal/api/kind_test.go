package api_test

import (
	"net/http/httptest"
	"testing"

	"github.com/muster-go/muster/internal/api"
)

func TestRequestsAreToldApartByTheirRoute(t *testing.T) {
	const space = "/api/v1/namespaces/default"
	for _, tt := range []struct {
		method, path     string
		watch, beat, act bool
	}{
		{"GET", space + "/watch", true, false, false},
		{"GET", space + "/watch?wait=1s", true, false, false},
		{"GET", space + "/%77atch", true, false, false}, // the mux takes it for the same
		{"GET", "/api/v1/namespaces/watch/watch", true, false, false},
		{"GET", space + "/services/watch", false, false, false},
		{"GET", space + "/services/watch/instances/watch", false, false, false},
		{"GET", space + "/services/a/instances/x%2Fwatch", false, false, false},
		{"GET", "/api/v1/namespaces/a%2Fb/watch", true, false, false}, // refused by the face
		{"GET", "/api/v1/namespaces//watch", false, false, false},
		{"POST", space + "/heartbeats", false, true, false},
		{"GET", space + "/heartbeats", false, false, false},
		{"POST", space + "/services/heartbeats", false, false, false},
		{"POST", space + "/services/heartbeats/instances/heartbeats", false, false, false},
		{"PUT", space + "/services/status/instances/status", false, false, false},
		{"PUT", space + "/services/a/instances/intent", false, false, false},
		{"PUT", space + "/services/a/instances/x%2Fintent", false, false, false},
		{"PUT", space + "/services/a/instances/x%2Fy/intent", false, false, true},
		{"PUT", space + "/services/a/instances/100%25/override", false, false, true},
		{"DELETE", space + "/services/a/instances/b", false, false, true},
	} {
		r := httptest.NewRequest(tt.method, tt.path, nil)
		if w, b, a := api.IsWatch(r), api.IsHeartbeat(r), api.IsAct(r); w != tt.watch || b != tt.beat || a != tt.act {
			t.Errorf("%s %s: watch %v, heartbeat %v, act %v", tt.method, tt.path, w, b, a)
		}
	}
}
