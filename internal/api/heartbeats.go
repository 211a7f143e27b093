package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
)

// routeHeartbeats adds batches of heartbeats, in binary and by name.
func (a *API) routeHeartbeats(api huma.API) {
	op := huma.Operation{
		OperationID: "heartbeats", Method: http.MethodPost, Path: pathBeats, Tags: []string{"register"}, Responses: problems(),
		Summary: "Keep instances listed",
		Description: "As " + nativewire.FrameType + ": a frame of up to " + strconv.Itoa(nativewire.MaxBeats) + ` handles, little endian: "mhb1", count uint32, ` +
			`count × handle uint64. Answer: "mhr1", count uint32, lapsed uint32, lapsed × (position uint32, code uint8: 1 not_found, 2 conflict). ` +
			"As application/json: up to " + strconv.Itoa(nativewire.MaxNamed) + " leases by name and owner; the answer brings their handles.",
		Parameters:  pathParams(pathBeats),
		RequestBody: body(api, reflect.TypeFor[nativewire.Heartbeats]()),
	}
	binary := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	op.RequestBody.Content[nativewire.FrameType] = binary
	op.Responses["200"] = answer(api, reflect.TypeFor[nativewire.HeartbeatAnswers](), "Which were extended")
	op.Responses["200"].Content[nativewire.FrameType] = binary
	a.byHand(api, op, to(access.Register), a.heartbeats)
}

// heartbeats serves POST on heartbeats.
func (a *API) heartbeats(w http.ResponseWriter, r *http.Request, p *access.Principal) {
	if err := muster.CheckNamespace(r.PathValue("namespace")); err != nil {
		writeError(w, err)
		return
	}
	switch t := mediaType(r); t {
	case nativewire.FrameType:
		a.renewFrame(w, r)
	case "application/json":
		a.renewNamed(w, r, p)
	default:
		writeError(w, failWith(http.StatusUnsupportedMediaType, invalid("body is %q, %s or application/json is meant", t, nativewire.FrameType)))
	}
}

// renewFrame extends the leases of a frame's handles.
func (a *API) renewFrame(w http.ResponseWriter, r *http.Request) {
	body, free, err := a.readBody(w, r, nativewire.MaxFrame)
	if err != nil {
		writeError(w, err)
		return
	}
	defer free()
	frame, err := nativewire.ParseFrame(body)
	if err != nil {
		writeError(w, err)
		return
	}
	lapsed, err := a.renewHandles(r.PathValue("namespace"), frame)
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", nativewire.FrameType)
	_, _ = w.Write(nativewire.AppendReply(make([]byte, 0, 16+5*len(lapsed)), frame.Len(), lapsed)) // the owner may be gone
}

func (a *API) renewHandles(namespace string, frame nativewire.Frame) (lapsed []nativewire.Lapsed, err error) {
	err = a.store.RenewHandles(namespace, frame.Len(),
		func(i int) uint64 { return a.seal.open(frame.Handle(i)) },
		func(i int, code muster.Code) { lapsed = append(lapsed, nativewire.Lapsed{Index: i, Code: code}) },
	)
	return lapsed, err
}

// renewNamed extends leases by name, for their owners. It ends at the first that is wrong or that p may not keep.
func (a *API) renewNamed(w http.ResponseWriter, r *http.Request, p *access.Principal) {
	var ask nativewire.Heartbeats
	if err := a.readJSON(w, r, &ask); err != nil {
		writeError(w, err)
		return
	}
	if n := len(ask.Items); n == 0 || n > nativewire.MaxNamed {
		writeError(w, invalid("%d heartbeats, 1 to %d are allowed", n, nativewire.MaxNamed))
		return
	}
	out := nativewire.HeartbeatAnswers{Items: make([]nativewire.HeartbeatAnswer, len(ask.Items))}
	for i, beat := range ask.Items {
		k := muster.Key{Namespace: r.PathValue("namespace"), Service: beat.Service, ID: beat.ID}
		err := p.May(access.Act{Verb: access.Register, Namespace: k.Namespace, Service: k.Service})
		if err == nil {
			out.Items[i], err = a.renewOne(k, beat.Owner)
		}
		if err != nil {
			writeError(w, err)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the owner may be gone
}

func (a *API) renewOne(k muster.Key, owner string) (out nativewire.HeartbeatAnswer, err error) {
	if err := checkKey(k); err != nil {
		return out, err
	}
	if owner == "" {
		return out, invalid("heartbeat for %v names no owner", k)
	}
	switch err := a.store.Renew(k, owner); muster.CodeOf(err) {
	case "":
	case muster.NotFound, muster.Conflict:
		out.Code = muster.CodeOf(err)
		return out, nil
	default:
		return out, err
	}
	rec := a.store.Get(k)
	if rec == nil || rec.Instance.Owner != owner {
		out.Code = muster.NotFound // it changed hands just now; the next heartbeat tells
		return out, nil
	}
	out.Handle = a.seal.close(rec.Handle)
	return out, nil
}
