package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/limits"
	"github.com/muster-go/muster/internal/server"
)

const eurekaInstance = `{"instance":{"instanceId":"%s","app":"MAIL","hostName":"h","ipAddr":"10.0.0.9","status":"UP","port":{"$":1,"@enabled":"true"},"dataCenterInfo":{"name":"MyOwn"}}}`

func TestTooManyInstancesOfOnePayerAreRefusedByBothFaces(t *testing.T) {
	s, c := start(t, server.Options{Limits: limits.Config{Instances: 2}})
	native := func(id string) string { return s.URL() + "/api/v1/namespaces/default/services/ORDERS/instances/" + id }
	if res, body := ask(t, c, "PUT", native("a"), instance); res.StatusCode != 200 {
		t.Fatalf("the first: %d %s", res.StatusCode, body)
	}
	if res, body := ask(t, c, "POST", s.URL()+"/eureka/apps/MAIL", fmt.Sprintf(eurekaInstance, "b")); res.StatusCode != 204 {
		t.Fatalf("the second: %d %s", res.StatusCode, body)
	}
	const why = "127.0.0.1 has 2 instances registered, at most 2"
	res, body := ask(t, c, "PUT", native("c"), instance)
	var problem struct{ Code, Detail string }
	if err := json.Unmarshal([]byte(body), &problem); err != nil || res.StatusCode != 429 || problem.Code != "exhausted" || !strings.Contains(problem.Detail, why) || res.Header.Get("Retry-After") == "" {
		t.Errorf("native: %d %v %s", res.StatusCode, res.Header, body)
	}
	res, body = ask(t, c, "POST", s.URL()+"/eureka/apps/MAIL", fmt.Sprintf(eurekaInstance, "d"))
	if res.StatusCode != 429 || !strings.Contains(body, why) || res.Header.Get("Retry-After") == "" {
		t.Errorf("eureka: %d %v %s", res.StatusCode, res.Header, body)
	}
	if res, body := ask(t, c, "PUT", native("a"), instance); res.StatusCode != 200 {
		t.Errorf("registering again what is there: %d %s", res.StatusCode, body)
	}
	if res, _ := ask(t, c, "DELETE", s.URL()+"/eureka/apps/MAIL/b", ""); res.StatusCode != 200 {
		t.Errorf("deregistering: %d", res.StatusCode)
	}
	if res, body := ask(t, c, "PUT", native("c"), instance); res.StatusCode != 200 {
		t.Errorf("after one has gone: %d %s", res.StatusCode, body)
	}
	if _, body := get(t, c, s.URL()+"/metrics"); !strings.Contains(body, `muster_refused_total{reason="quota"} 2`) {
		t.Error("metrics do not count two refusals")
	}
	_, body = get(t, c, s.URL()+"/api/v1/status")
	var status struct {
		Limits struct {
			Allowed string
			Bytes   int64
			Payers  []struct {
				Payer, Limit string
				Used, Most   int64
				Refused      uint64
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		t.Fatal(err)
	}
	l := status.Limits
	if !strings.HasPrefix(l.Allowed, "instances=2,metadata=none") || l.Bytes == 0 || len(l.Payers) != 1 ||
		fmt.Sprint(l.Payers[0]) != "{127.0.0.1 instances 2 2 2}" {
		t.Errorf("status: %+v, want who has two instances of two and was refused twice", l)
	}
}

func TestAFullServerIsSaidToBeFull(t *testing.T) {
	s, c := start(t, server.Options{Limits: limits.Config{Total: 2000}})
	url := s.URL() + "/api/v1/namespaces/default/services/ORDERS/instances/"
	for n := range 10 {
		res, body := ask(t, c, "PUT", fmt.Sprint(url, n), instance)
		if res.StatusCode == 200 && n < 3 {
			continue
		}
		if res.StatusCode != 507 || !strings.Contains(body, "all registrations together take") || n < 2 {
			t.Errorf("number %d: %d %s; want 507 from the fourth or so on", n, res.StatusCode, body)
		}
		return
	}
	t.Error("ten instances fit where there is room for three")
}
