package eurekaserver

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/store"
)

// slowReader takes nothing until it is let.
type slowReader struct {
	*httptest.ResponseRecorder
	started chan<- struct{}
	let     <-chan struct{}
}

func (w slowReader) Write(b []byte) (int, error) {
	w.started <- struct{}{}
	<-w.let
	return len(b), nil
}

// Of a large application each reader gets an answer of its own; together they stay within a bound, and it is given back.
func TestAnswersForOneReaderAloneAreBounded(t *testing.T) {
	st, err := store.Open(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	in := &muster.Instance{Namespace: "default", Service: "BIG", ID: "i", Status: muster.Up}
	if _, err := st.Update(in.Key(), func(*store.Record) (*store.Record, error) {
		return &store.Record{TTL: time.Minute, Instance: in}, nil
	}); err != nil {
		t.Fatal(err)
	}
	s := New(st, Options{Door: access.New(access.Options{Anonymous: access.All})})
	for _, path := range []string{"/eureka/apps/BIG", "/eureka/vips/big"} {
		started, let, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			s.ServeHTTP(slowReader{httptest.NewRecorder(), started, let}, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		}()
		<-started
		held := s.alone.Load()
		if held < 100 {
			t.Errorf("%s: %d bytes are counted while a reader takes its time", path, held)
		}
		s.alone.Add(mostAlone) // as if many more did
		if code, after := answered(s, path); code != http.StatusServiceUnavailable || after == "" {
			t.Errorf("%s beyond the bound: %d, Retry-After %q", path, code, after)
		}
		if code, _ := answered(s, "/eureka/apps"); code != http.StatusOK {
			t.Errorf("the complete list, which all share: %d", code)
		}
		s.alone.Add(-mostAlone)
		if code, _ := answered(s, path); code != http.StatusOK {
			t.Errorf("%s within the bound: %d", path, code)
		}
		close(let)
		<-ended
		if left := s.alone.Load(); left != 0 {
			t.Errorf("%s: %d bytes are counted when all is read", path, left)
		}
	}
}

// An answer that is larger than the bound by itself is given to one reader at a time.
func TestAnAnswerBeyondTheBoundIsGivenAlone(t *testing.T) {
	s := new(Server)
	w := httptest.NewRecorder()
	s.writeAlone(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody), 2*mostAlone/perInstance, func() *document { return new(document) })
	if w.Code != http.StatusOK || s.alone.Load() != 0 {
		t.Errorf("status %d, %d bytes left", w.Code, s.alone.Load())
	}
}

func answered(h http.Handler, path string) (code int, retryAfter string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	return w.Code, w.Header().Get("Retry-After")
}
