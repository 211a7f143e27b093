package debug

import (
	"encoding/json"
	"net/http"

	"github.com/muster-go/muster/internal/nativewire"
)

// answer writes v, which has been gathered: no lock is held while it is sent.
func answer(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n')) // whoever asked is gone
}

// refuse writes err as a problem.
func refuse(w http.ResponseWriter, err error) {
	p := nativewire.FromError(err)
	p.Type = "about:blank" // nothing here explains the codes
	text, err := json.Marshal(p)
	if err != nil {
		http.Error(w, p.Detail, p.Status)
		return
	}
	w.Header().Set("Content-Type", nativewire.ProblemType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(text, '\n')) // whoever asked is gone
}
