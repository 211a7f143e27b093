package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// load asks a server from a number of callers at once, each of which waits for its answer. It speaks just enough HTTP to leave
// the processors to the server.
type load struct {
	addr    string
	callers int
	once    bool // a connection for each request, as python-eureka-client has it; else one for each caller
	kept    []net.Conn
}

// newLoad returns a load on addr. Connections that are kept end with the benchmark.
func newLoad(tb testing.TB, addr string, callers int, once bool) *load {
	l := &load{addr: addr, callers: callers, once: once, kept: make([]net.Conn, callers)}
	tb.Cleanup(func() {
		for _, c := range l.kept {
			if c != nil {
				c.Close()
			}
		}
	})
	return l
}

// answerWithin bounds one request.
const answerWithin = 20 * time.Second

// do sends n requests, each as request makes it from its number, and returns how long each took. answer, if not nil, sees every
// body, from many goroutines. An answer other than 2xx fails the benchmark.
func (l *load) do(tb testing.TB, n int, request func(i int) []byte, answer func(i int, body []byte)) []time.Duration {
	tb.Helper()
	took := make([]time.Duration, n)
	var wg sync.WaitGroup
	for c := range l.callers {
		wg.Go(func() {
			in := bufio.NewReader(nil)
			if l.kept[c] != nil {
				in.Reset(l.kept[c])
			}
			for i := c; i < n; i += l.callers {
				ask := request(i)
				began := time.Now()
				body, err := l.ask(c, in, ask)
				took[i] = time.Since(began)
				if err != nil {
					tb.Errorf("%.80q at %s: %v", ask, l.addr, err)
					return
				}
				if answer != nil {
					answer(i, body)
				}
			}
		})
	}
	wg.Wait()
	if tb.Failed() {
		tb.FailNow()
	}
	return took
}

func (l *load) ask(caller int, in *bufio.Reader, request []byte) ([]byte, error) {
	if l.kept[caller] == nil {
		conn, err := net.Dial("tcp", l.addr)
		if err != nil {
			return nil, err
		}
		l.kept[caller] = conn
		in.Reset(conn)
	}
	conn := l.kept[caller]
	if err := conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	body, err := readAnswer(in)
	if l.once {
		conn.Close()
		l.kept[caller] = nil
	}
	return body, err
}

// readAnswer reads an answer with a Content-Length, or without a body.
func readAnswer(in *bufio.Reader) ([]byte, error) {
	status, err := in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	ok := len(status) > 10 && status[9] == '2'
	first := string(status)
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if len(line) <= 2 {
			break
		}
		if v, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return nil, err
			}
		}
		if bytes.HasPrefix(line, []byte("Transfer-Encoding:")) {
			return nil, fmt.Errorf("a chunked answer, which is not read here")
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("answered %.60q: %.200q", first, body)
	}
	return body, nil
}

// message is a request with keep-alive.
func message(method, path, contentType string, body []byte) []byte {
	m := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, path)
	if contentType != "" {
		m = fmt.Appendf(m, "Content-Type: %s\r\n", contentType)
	}
	m = fmt.Appendf(m, "Content-Length: %d\r\n\r\n", len(body))
	return append(m, body...)
}

// pythons is a request with the headers that python-eureka-client sends.
func pythons(method, path, connection string, body []byte) []byte {
	m := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:8761\r\nAccept-Encoding: gzip, deflate\r\nConnection: %s\r\n", method, path, connection)
	if len(body) > 0 {
		m = append(m, "Content-Type: application/json\r\n"...)
	}
	m = fmt.Appendf(m, "Content-Length: %d\r\n\r\n", len(body))
	return append(m, body...)
}

// cutMessage splits a request into head and body.
func cutMessage(m []byte) (head, body []byte, ok bool) { return bytes.Cut(m, []byte("\r\n\r\n")) }
