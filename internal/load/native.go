package load

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/muster-go/muster/internal/nativewire"
)

// native speaks muster's own API, as registry/remote does: heartbeats are batches of handles.
type native struct{}

// beatState is what a member needs for its heartbeats.
type beatState struct {
	handles []nativewire.Handle // by instance, from the member's first on; of the native protocol alone
}

func (native) register(b []byte, f *fleet, i, mark int) []byte {
	body, err := json.Marshal(nativewire.FromRegistration(f.instance(i, mark), f.ttl))
	if err != nil {
		panic("a registration cannot be written: " + err.Error()) // it holds strings and numbers
	}
	b = f.target.appendHead(b, "PUT", nativePath(f.namespace, f.service(i), f.id(i)))
	return appendBody(b, "application/json", body)
}

func (native) registered(m *member, i int, body []byte) error {
	var l struct {
		Handle nativewire.Handle `json:"handle"`
	}
	if err := json.Unmarshal(body, &l); err != nil || l.Handle == 0 {
		return fmt.Errorf("registering answered %q, which is no lease: is this muster serve?", clip(string(body)))
	}
	for i-m.first >= len(m.beat.handles) {
		m.beat.handles = append(m.beat.handles, 0)
	}
	m.beat.handles[i-m.first] = l.Handle
	return nil
}

func (native) beats(m *member) int { return (m.n + nativewire.MaxBeats - 1) / nativewire.MaxBeats }

func (native) beat(ctx context.Context, f *fleet, m *member, n int) (ops int, lapsed []int, err error) {
	from := n * nativewire.MaxBeats
	to := min(from+nativewire.MaxBeats, m.registered)
	if to <= from {
		return 0, nil, nil
	}
	handles := m.beat.handles[from:to]
	a, err := m.ask(ctx, "POST", true, func(b []byte) []byte {
		b = f.target.appendHead(b, "POST", "/api/v1/namespaces/"+f.namespace+"/heartbeats")
		b = append(b, "Content-Type: "+nativewire.FrameType+"\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(8+8*len(handles)), 10)
		return nativewire.AppendFrame(append(b, "\r\n\r\n"...), handles)
	})
	if err != nil {
		return len(handles), nil, err
	}
	gone, err := nativewire.ParseReply(a.body, len(handles))
	for _, l := range gone {
		lapsed = append(lapsed, m.first+from+l.Index)
	}
	return len(handles), lapsed, err
}

func (native) deregister(b []byte, f *fleet, i int) []byte {
	return appendEnd(f.target.appendHead(b, "DELETE", nativePath(f.namespace, f.service(i), f.id(i))+"?owner="+f.owner(i)))
}

func (native) read(b []byte, f *fleet, service string) []byte {
	path := "/api/v1/namespaces/" + f.namespace
	if service != "" {
		path += "/services/" + service
	}
	return append(f.target.appendHead(b, "GET", path+"/instances"), "Accept: application/json\r\n\r\n"...)
}

// nativePath is where an instance is found. The names here need no escapes.
func nativePath(namespace, service, id string) string {
	return "/api/v1/namespaces/" + namespace + "/services/" + service + "/instances/" + id
}

// appendBody ends a request with a body.
func appendBody(b []byte, kind string, body []byte) []byte {
	b = append(append(append(b, "Content-Type: "...), kind...), "\r\nContent-Length: "...)
	b = append(strconv.AppendInt(b, int64(len(body)), 10), "\r\n\r\n"...)
	return append(b, body...)
}

// appendEnd ends a request without one.
func appendEnd(b []byte) []byte { return append(b, "\r\n"...) }
