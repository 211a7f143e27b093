package deploy

import (
	"strconv"
	"strings"
	"testing"

	"github.com/muster-go/muster/test/peer"
)

// As in deploy/kubernetes/client.yaml: the URL names no host, the pod has POD_IP. The command that is registered is a muster serve of its own.
func TestRegisterInAPodListsThePodsAddress(t *testing.T) {
	t.Parallel()
	registry := peer.Muster(t)
	port := strconv.Itoa(peer.FreePort(t))
	p := peer.Start(t, peer.Command{
		Name: "muster register", Path: registry.Binary,
		Args: []string{
			"register", "ORDERS", "--url", "http://:" + port, "--health", "/livez", "--drain", "0s", "--",
			registry.Binary, "serve", "--listen", "127.0.0.1:" + port, "--data", "memory:",
		},
		Env:   []string{"POD_IP=10.1.2.3", "MUSTER_REGISTRY=muster://" + registry.Addr},
		Ready: peer.Line("registered"),
	})
	listed := output(t, registry.Binary, "--registry", "muster://"+registry.Addr, "instances", "ORDERS")
	if want := "10.1.2.3:" + port; !strings.Contains(listed, "http://"+want) {
		t.Errorf("no %s in\n%s", want, listed)
	}
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
