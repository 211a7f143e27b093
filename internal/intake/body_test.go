package intake_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/muster-go/muster/internal/intake"
)

const limit = 1 << 20

func TestBodyEndsAtItsLimit(t *testing.T) {
	for _, x := range []struct {
		name  string
		size  int
		known bool // Content-Length is sent
		over  bool
	}{
		{"empty", 0, false, false},
		{"short", 10, true, false},
		{"just so long", 100, true, false},
		{"just so long, chunked", 100, false, false},
		{"one too long", 101, true, true},
		{"one too long, chunked", 101, false, true},
		{"much too long, chunked", 10_000, false, true},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader} {
			src := wrap(strings.NewReader(strings.Repeat("x", x.size)))
			r := httptest.NewRequest(http.MethodPut, "/", src)
			if r.ContentLength = -1; x.known {
				r.ContentLength = int64(x.size)
			}
			got, err := io.ReadAll(intake.Limit(httptest.NewRecorder(), r, 100))
			_, over := errors.AsType[*http.MaxBytesError](err)
			if over != x.over || !over && (err != nil || len(got) != x.size) || len(got) > 100 {
				t.Errorf("%s: %d bytes and %v", x.name, len(got), err)
			}
			if n, _ := src.Read(make([]byte, 1)); n != 0 {
				t.Errorf("%s: something is left to read", x.name)
			}
		}
	}
}

func TestErrorOfTheSenderIsNotThatOfTheLimit(t *testing.T) {
	r := httptest.NewRequest(http.MethodPut, "/", io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(os.ErrDeadlineExceeded)))
	r.ContentLength = -1
	for _, n := range []int64{5, 100} {
		if got, err := io.ReadAll(intake.Limit(httptest.NewRecorder(), r, n)); string(got) != "12345" || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("limit %d: %q and %v", n, got, err)
		}
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(os.ErrDeadlineExceeded)))
	}
}

// serve answers 413 to what is too long.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(intake.Limit(w, r, limit)); err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestSenderThatClosesHearsOfItsRefusal(t *testing.T) {
	s := serve(t)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for range 20 {
		req, err := http.NewRequest(http.MethodPut, s.URL, bytes.NewReader(make([]byte, 8<<20)))
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("answered %s", res.Status)
		}
	}
}

// A sender that writes all of it before it reads is Python's http.client, and so python-eureka-client.
func TestSenderThatWritesAllFirstHearsOfItsRefusal(t *testing.T) {
	s := serve(t)
	for _, head := range []string{"Content-Length: 8388608\r\nConnection: close", "Content-Length: 8388608", "Transfer-Encoding: chunked\r\nConnection: close"} {
		for range 10 {
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			fmt.Fprintf(conn, "PUT / HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", head)
			if strings.HasPrefix(head, "Transfer") {
				fmt.Fprint(conn, "800000\r\n")
			}
			if _, err := conn.Write(make([]byte, 8<<20)); err != nil {
				t.Errorf("%s: the sender was cut off: %v", head, err)
			}
			if strings.HasPrefix(head, "Transfer") {
				fmt.Fprint(conn, "\r\n0\r\n\r\n")
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%s: %v", head, err)
			}
			if res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: answered %s", head, res.Status)
			}
			conn.Close()
		}
	}
}

func TestSenderThatAsksFirstIsNotToldToSend(t *testing.T) {
	s := serve(t)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(conn, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 8388608\r\nExpect: 100-continue\r\n\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "413") {
		t.Errorf("answered %q, %v; want 413 at once", line, err)
	}
}
