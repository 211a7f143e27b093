package remote

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/release"
)

// versions is what client and server tell each other about themselves: the one in User-Agent, the other in Muster-Version.
type versions struct {
	mine  string
	agent []string // value of User-Agent, the same slice for every request

	heard atomic.Pointer[string] // as the last answer said

	mu     sync.Mutex // guards warned
	warned map[string]bool
}

// maxWarned bounds the versions that are warned of, and remembered.
const maxWarned = 16

func (v *versions) init(mine string) {
	v.mine = mine
	v.agent = []string{fmt.Sprintf("muster/%s (registry/remote; %s/%s)", mine, runtime.GOOS, runtime.GOARCH)}
	v.warned = map[string]bool{}
}

// hear takes in what an answer says. Of a server that is too far away it warns once; what the two do not know of each other
// will be refused or left out, which is hard to tell from a fault.
func (v *versions) hear(log *slog.Logger, host string, header http.Header) {
	said := header[nativewire.VersionHeader]
	if len(said) == 0 {
		return
	}
	theirs := said[0]
	if old := v.heard.Load(); old != nil && *old == theirs {
		return
	}
	now := theirs // of its own: only news are worth memory
	v.heard.Store(&now)
	if !release.TooFar(v.mine, theirs) {
		return
	}
	v.mu.Lock()
	known := v.warned[theirs] || len(v.warned) == maxWarned
	if !known {
		v.warned[theirs] = true
	}
	v.mu.Unlock()
	if !known {
		log.Warn("client and server are too many versions apart: what one of them does not know is refused or left out",
			"server", host, "server_version", theirs, "client_version", v.mine, "promised_apart", release.Reach)
	}
}
