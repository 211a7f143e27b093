package eurekaserver

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
)

// TestEveryRouteIsInTheMatrix fails for a route that somebody added without writing down who may use it; the matrix itself is tried
// in internal/server.
func TestEveryRouteIsInTheMatrix(t *testing.T) {
	matrix, err := os.ReadFile("../server/testdata/access")
	if err != nil {
		t.Fatal(err)
	}
	type known struct {
		what   resource
		method string
	}
	listed := map[known]bool{}
	for line := range strings.Lines(string(matrix)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[1], "/ns/{namespace}/eureka/") {
			continue
		}
		u, err := url.Parse(strings.NewReplacer("{namespace}", "prod", "{service}", "ORDERS", "{id}", "i1").Replace(fields[1]))
		if err != nil {
			t.Fatal(err)
		}
		rt, ok := parse(u)
		if !ok {
			t.Errorf("%s is no path of Eureka's", fields[1])
		}
		listed[known{rt.what, fields[0]}] = true
	}
	for what := apps; what <= svips; what++ {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect, "PURGE"} {
			serve, verb, _ := (&route{what: what}).handler(method)
			if serve == nil {
				continue
			}
			if verb == 0 {
				t.Errorf("%s on resource %d asks for no right", method, what)
			}
			if !listed[known{what, method}] {
				t.Errorf("%s on resource %d is not in internal/server/testdata/access: write down who may", method, what)
			}
		}
	}
}
