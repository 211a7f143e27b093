package demo

import (
	"context"
	"fmt"
)

// Visit is how a visitor registers a service in a running demo: with python-eureka-client as it is, and with curl.
type Visit struct {
	Python string // four lines
	Curl   string
}

// visit returns the lines for a registry at an http URL.
func visit(url string) Visit {
	return Visit{
		Python: fmt.Sprintf(`import time, py_eureka_client.eureka_client as eureka
eureka.init(eureka_server="%s/eureka", app_name="visitor", instance_port=9000)
time.sleep(15)  # it is in the table meanwhile
eureka.stop()
`, url),
		Curl: fmt.Sprintf(`curl -f -X PUT %s/api/v1/namespaces/default/services/guest/instances/me \
  -H 'Content-Type: application/json' \
  -d '{"endpoints": [{"scheme": "http", "address": "127.0.0.1:9001"}], "ttl": "15s"}'
`, url),
	}
}

// join shows how to join, where the board does not.
func join(ctx context.Context, s *stage) error {
	if s.joining() {
		return nil
	}
	s.show.heading("Join in, from another terminal")
	v := visit(s.fleet.webURL())
	s.show.say("Register a service of yours; it is in the table at once. In Python (pip install py-eureka-client):")
	s.show.plain("\n" + v.Python + "\n")
	s.show.say("Or with curl:")
	s.show.plain("\n" + v.Curl + "\n")
	if s.opt.Once {
		return nil
	}
	return pause(ctx, beforeVisit)
}
