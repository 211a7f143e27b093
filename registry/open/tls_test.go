package open_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/open"
)

func TestTLSParametersAreUsed(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"items":[{"service":"ORDERS"}]}`)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	addr := srv.Listener.Addr().String()
	for raw, ok := range map[string]bool{
		"musters://" + addr + "/?ca=" + ca:                                 true,
		"muster://" + addr + "/?tls=true&ca=" + ca:                         true,
		"musters://" + addr + "/?server_name=example.com&ca=" + ca:         true,
		"musters://" + addr + "/?server_name=someone.example.org&ca=" + ca: false,
		"musters://" + addr + "/":                                          false,
	} {
		d, err := open.Open(raw, nil)
		if err != nil {
			t.Fatal(err)
		}
		names, err := d.(muster.Lister).Services(t.Context())
		if (err == nil) != ok || ok && len(names) != 1 {
			t.Errorf("%s: services %q, %v", raw, names, err)
		}
		_ = d.Close()
	}
}
