package api_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/store"
)

// shelf is a journal with a backup of its own.
type shelf struct {
	acts   []store.Act
	full   error // what Sync answers
	behind error // what Write answers
	backup func(w io.Writer) error
}

func (j *shelf) Load(store.Loader) (uint64, error) { return 0, nil }
func (j *shelf) Write(store.Batch) error           { return j.behind }
func (j *shelf) Tidy() (bool, error)               { return false, nil }
func (j *shelf) Close() error                      { return nil }

func (j *shelf) Sync(acts []store.Act) error {
	j.acts = append(j.acts, acts...)
	return j.full
}

func (j *shelf) Audit(string, string, uint64, int) ([]muster.AuditRecord, error) { return nil, nil }

func (j *shelf) Backup(_ context.Context, w io.Writer) (int64, error) { return 0, j.backup(w) }

func (j *shelf) serve(t *testing.T) *httptest.Server {
	t.Helper()
	s, err := store.Open(store.Options{Journal: j})
	if err != nil {
		t.Fatal(err)
	}
	<-s.Loaded()
	door := access.New(access.Options{})
	srv := httptest.NewUnstartedServer(api.New(s, api.Options{Door: door}))
	srv.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return door.MeetLocal(ctx, 0) }
	srv.Start()
	t.Cleanup(func() {
		srv.Close()
		_ = s.Close()
	})
	return srv
}

// fetch reads the backup to its end.
func fetch(t *testing.T, srv *httptest.Server, method string) (status int, body string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+"/api/v1/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Muster-By", "ann")
	res, err := srv.Client().Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func TestABackupIsTheJournalsAndIsAudited(t *testing.T) {
	j := &shelf{backup: func(w io.Writer) error { _, err := io.WriteString(w, "all there is"); return err }}
	srv := j.serve(t)
	if status, body, err := fetch(t, srv, http.MethodGet); err != nil || status != http.StatusOK || body != "all there is" {
		t.Errorf("answered %d %q, %v", status, body, err)
	}
	if len(j.acts) != 1 || j.acts[0].Audit.Proven != "local:0" || j.acts[0].Audit.Op != "backup" || j.acts[0].Audit.Claimed != "ann" || j.acts[0].Audit.Key != (muster.Key{Namespace: "default"}) {
		t.Errorf("audited as %+v", j.acts)
	}
	if status, body, err := fetch(t, srv, http.MethodHead); err != nil || status != http.StatusOK || body != "" || len(j.acts) != 1 {
		t.Errorf("HEAD: answered %d %q, %v, %d acts", status, body, err, len(j.acts))
	}
	if status, _, err := fetch(t, srv, http.MethodPost); err != nil || status != http.StatusMethodNotAllowed {
		t.Errorf("POST: answered %d, %v", status, err)
	}
}

func TestABackupThatBreaksOffIsNotTakenForTheWhole(t *testing.T) {
	j := &shelf{backup: func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat("x", 100_000))
		return errors.Join(err, errors.New("the disk cannot be read"))
	}}
	if status, body, err := fetch(t, j.serve(t), http.MethodGet); err == nil {
		t.Errorf("answered %d with %d bytes, and no error", status, len(body))
	}
	j = &shelf{backup: func(io.Writer) error { return &muster.Error{Code: muster.Unavailable, Err: errors.New("gone")} }}
	if status, body, err := fetch(t, j.serve(t), http.MethodGet); err != nil || status != http.StatusServiceUnavailable || !strings.Contains(body, "gone") {
		t.Errorf("answered %d %s, %v", status, body, err)
	}
}

func TestABackupIsPossibleOnAFullDisk(t *testing.T) {
	j := &shelf{
		backup: func(w io.Writer) error { _, err := io.WriteString(w, "all"); return err },
		full:   &muster.Error{Code: muster.Exhausted, Err: errors.New("disk full")},
	}
	if status, body, err := fetch(t, j.serve(t), http.MethodGet); err != nil || status != http.StatusOK || body != "all" {
		t.Errorf("answered %d %q, %v", status, body, err)
	}
}

func TestAtMostTwoBackupsAreWrittenAtOnce(t *testing.T) {
	under, end := make(chan struct{}), make(chan struct{})
	j := &shelf{backup: func(w io.Writer) error {
		under <- struct{}{}
		<-end
		_, err := io.WriteString(w, "all")
		return err
	}}
	srv := j.serve(t)
	answers := make(chan int, 2)
	for range 2 {
		go func() {
			status, _, _ := fetch(t, srv, http.MethodGet)
			answers <- status
		}()
		select {
		case <-under:
		case status := <-answers:
			t.Fatalf("answered %d", status)
		}
	}
	if status, body, err := fetch(t, srv, http.MethodGet); err != nil || status != http.StatusTooManyRequests {
		t.Errorf("a third: answered %d %s, %v", status, body, err)
	}
	close(end)
	for range 2 {
		if status := <-answers; status != http.StatusOK {
			t.Errorf("answered %d", status)
		}
	}
}

func TestABackupIsForAdministratorsAlone(t *testing.T) {
	f := newFace(t, api.Options{}) // whoever comes may do all but administer
	f.problem(f.do("GET", "/api/v1/backup", ""), http.StatusUnauthorized, muster.Denied)
}

func TestAStoreInMemoryHasNoBackup(t *testing.T) {
	door := access.New(access.Options{})
	f := newFace(t, api.Options{Door: door})
	w := httptest.NewRecorder()
	f.api.ServeHTTP(w, httptest.NewRequestWithContext(door.MeetLocal(t.Context(), 0), "GET", "/api/v1/backup", nil))
	if p := f.problem(w, http.StatusNotImplemented, muster.Unsupported); !strings.Contains(p.Detail, "data directory") {
		t.Errorf("says %q", p.Detail)
	}
}

func TestABackupThatLacksRegistrationsSaysSo(t *testing.T) {
	for _, behind := range []error{nil, errors.New("write muster.db: no space left\non this device")} {
		j := &shelf{backup: func(w io.Writer) error { _, err := io.WriteString(w, "all"); return err }, behind: behind}
		srv := j.serve(t)
		put, err := http.NewRequestWithContext(t.Context(), http.MethodPut, srv.URL+"/api/v1/namespaces/default/services/ORDERS/instances/a",
			strings.NewReader(`{"endpoints":[{"scheme":"http","address":"10.0.0.1:80"}],"ttl":"1m","owner":"me"}`))
		if err != nil {
			t.Fatal(err)
		}
		put.Header.Set("Content-Type", "application/json")
		res, err := srv.Client().Do(put)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode >= 300 {
			t.Fatalf("registering: %s", res.Status)
		}
		res, err = srv.Client().Get(srv.URL + "/api/v1/backup")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		want := ""
		if behind != nil {
			want = "write muster.db: no space left on this device"
		}
		if got := res.Header.Get("Muster-Behind"); res.StatusCode != http.StatusOK || got != want {
			t.Errorf("%v: answered %s, behind %q", behind, res.Status, got)
		}
	}
}
