package httprpc

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/muster-go/muster"
)

// answer is what an attempt brought, with what must be freed when nobody reads it any more.
type answer struct {
	loop   *muster.Loop
	resp   *http.Response
	result muster.Result
	headed time.Time // when the head was there

	cancel func(error)    // of the attempt's context, if it is ours; else nil
	undo   [2]func() bool // no longer end that context with the attempt's share, with the call
}

// context returns the context of an attempt. When the attempt has only a share of the call's time, that share is for the
// head of the answer: the body may take as long as the call may, see lift.
func (ans *answer) context(a *muster.Attempt) context.Context {
	call := ans.loop.Context()
	share, limited := a.Context.Deadline()
	all, bounded := call.Deadline()
	if !limited || bounded && !share.Before(all) {
		return a.Context
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(a.Context))
	ans.cancel = cancel
	ans.undo[0] = context.AfterFunc(a.Context, func() { cancel(context.Cause(a.Context)) })
	ans.undo[1] = context.AfterFunc(call, func() { cancel(context.Cause(call)) })
	return ctx
}

// lift ends the share's hold on the context: the head of the answer is there, and no other attempt has overtaken this one. It
// works on nil.
func (ans *answer) lift() {
	if ans != nil && ans.cancel != nil {
		ans.undo[0]()
	}
}

func (ans *answer) free() {
	if ans.cancel != nil {
		ans.undo[0]()
		ans.undo[1]()
		ans.cancel(context.Canceled)
	}
}

// discard drops an answer that another one replaces. A short rest is read, so that the connection can be used again. It
// works on nil.
func (ans *answer) discard() {
	if ans == nil {
		return
	}
	end := time.AfterFunc(discardWithin, func() { _ = ans.resp.Body.Close() })
	_, _ = io.CopyN(io.Discard, ans.resp.Body, 4<<10) // what cannot be read is not missed
	end.Stop()
	_ = ans.resp.Body.Close()
	ans.free()
}

// discardWithin bounds how long the rest of a discarded answer is waited for: its connection is not worth more.
const discardWithin = 20 * time.Millisecond

// drop gives up an answer that another attempt has overtaken: nothing of it is waited for. It works on nil.
func (ans *answer) drop() {
	if ans == nil {
		return
	}
	ans.free()
	_ = ans.resp.Body.Close() // nobody reads it
}

// finish reports the attempt and ends the call; it acts once.
func (ans *answer) finish(res muster.Result) {
	if res.Load != (muster.Load{}) && time.Since(ans.headed) > freshLoad {
		res.Load = muster.Load{}
	}
	ans.loop.Finish(res)
	ans.free()
}

// broken says what an answer tells of which the head was good and the body was not.
func (ans *answer) broken(err error) muster.Result {
	ctx := ans.loop.Context()
	res := resultOfError(ctx, ctx, err)
	res.Load = ans.result.Load
	return res
}

// freshLoad is how long what the head says of the load is news: a body may take hours.
const freshLoad = time.Second

// handOver makes the response one that ends the call when its body ends. req is the caller's request.
func (ans *answer) handOver(req *http.Request) *http.Response {
	resp := ans.resp
	resp.Request = req
	if resp.Body == nil || resp.Body == http.NoBody {
		ans.finish(ans.result)
		return resp
	}
	b := &body{ReadCloser: resp.Body, ans: ans}
	if rw, ok := resp.Body.(io.ReadWriteCloser); ok { // 101 Switching Protocols
		resp.Body = &duplex{b, rw}
	} else {
		resp.Body = b
	}
	return resp
}

// body ends its call at its end.
type body struct {
	io.ReadCloser
	ans *answer
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == io.EOF:
		b.ans.finish(b.ans.result)
	case err != nil:
		b.ans.finish(b.ans.broken(err))
	}
	return n, err
}

// Close may be called while another goroutine reads.
func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.ans.finish(b.ans.result)
	return err
}

// duplex is the body of an answer that switched protocols: it can be written to.
type duplex struct {
	*body
	w io.Writer
}

func (d *duplex) Write(p []byte) (int, error) { return d.w.Write(p) }
