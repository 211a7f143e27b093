package deploy

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// callers register instances over a new connection each, for as long as ctx lives.
type callers struct {
	addr      string
	next      atomic.Int64
	mu        sync.Mutex // guards the rest
	confirmed []string   // IDs of which the registry said that it has them
	loading   int        // answers 503: a new process that has not loaded yet says so
	failed    []error
}

// run registers one instance after the other.
func (c *callers) run(ctx context.Context) {
	client := fresh()
	for ctx.Err() == nil {
		id := fmt.Sprintf("i-%d", c.next.Add(1))
		code, err := c.register(client, id)
		c.mu.Lock()
		switch {
		case err != nil:
			c.failed = append(c.failed, err)
		case code/100 == 2:
			c.confirmed = append(c.confirmed, id)
		case code == http.StatusServiceUnavailable:
			c.loading++
		default:
			c.failed = append(c.failed, fmt.Errorf("register %s: HTTP %d", id, code))
		}
		c.mu.Unlock()
	}
}

// register registers one instance by Eureka's REST.
func (c *callers) register(client *http.Client, id string) (int, error) {
	body := fmt.Sprintf(`{"instance":{"instanceId":%q,"hostName":"h","app":"LOAD","ipAddr":"10.0.0.1","status":"UP","port":{"$":8080,"@enabled":"true"},
		"dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"},
		"leaseInfo":{"renewalIntervalInSecs":30,"durationInSecs":600}}}`, id)
	res, err := client.Post("http://"+c.addr+"/eureka/apps/LOAD", "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

func (c *callers) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.confirmed)
}

// fresh is a client that takes a new connection for each request.
func fresh() *http.Client {
	return &http.Client{Timeout: slack, Transport: &http.Transport{DisableKeepAlives: true}}
}
