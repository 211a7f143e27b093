package interop

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// newSpringRequest is one with the headers of Spring Cloud Netflix' client.
func newSpringRequest(method, url, body string) (*http.Request, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, application/*+json")
	req.Header.Set("User-Agent", "Java-EurekaClient/v2.0.4")
	req.Header.Set("DiscoveryIdentity-Name", "DefaultClient")
	req.Header.Set("DiscoveryIdentity-Version", "1.4")
	req.Header.Set("DiscoveryIdentity-Id", "10.0.0.1")
	req.Header.Set("Accept-Encoding", "gzip")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// status sends a request and gives the answer's status.
func status(t *testing.T, req *http.Request) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return strconv.Itoa(res.StatusCode)
}
