package main

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestDeniedWithoutATokenSaysWhereOneGoes(t *testing.T) {
	l, _ := guardedLab(t)
	l.refused("A token goes into MUSTER_TOKEN", "services")
	l.refused("on the server's machine --data DIR", "token", "create", "ops", "--allow", "admin")
	if res := l.run("token", "create", "ops", "--allow", "admin"); strings.Contains(res.stderr, "(muster token create makes one)") {
		t.Errorf("it advises what was typed: %s", res.stderr)
	}
	l.env["MUSTER_TOKEN"] = "mst_nonsense"
	if res := l.run("services"); res.code != exitDenied || strings.Contains(res.stderr, "MUSTER_TOKEN") || strings.Contains(res.stderr, "muster: watch:") {
		t.Errorf("with a token: exit code %d, %s", res.code, res.stderr)
	}
}

func TestDistrustedCertificateIsToldApartFromAServerThatIsAway(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	for _, command := range [][]string{{"services"}, {"token", "list"}} {
		res := (&lab{t: t, env: map[string]string{"MUSTER_REGISTRY": "musters://" + srv.Listener.Addr().String(), "HOME": t.TempDir()}}).run(command...)
		if res.code != exitUnreachable || !strings.Contains(res.stderr, "?ca=FILE") || strings.Contains(res.stderr, "Is muster serve running") {
			t.Errorf("%v: exit code %d, %s", command, res.code, res.stderr)
		}
		if strings.Contains(res.stderr, "muster: watch:") {
			t.Errorf("%v names a step that no command has: %s", command, res.stderr)
		}
	}
	if distrusted(errors.New("refused")) || !distrusted(&tls.CertificateVerificationError{}) {
		t.Error("errors are mixed up")
	}
}
