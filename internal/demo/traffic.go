package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/examples/social"
	"github.com/muster-go/muster/rpc/httprpc"
)

// traffic calls the comment API at a steady rate, through muster as any user would: people register, comment, and are looked
// up. Most POSTs carry an Idempotency-Key; a few do not.
type traffic struct {
	transport *httprpc.Transport
	tally     *tally
	ledger    *ledger

	stop    context.CancelFunc
	workers sync.WaitGroup

	mu     sync.Mutex // guards what follows
	people []person
	serial int
}

// person is somebody who is registered.
type person struct{ id, email string }

const (
	rate       = 150 // calls per second
	atOnce     = 32  // calls under way, at the most
	callWithin = 10 * time.Second
	founders   = 20 // people who are there from the start
)

// newTraffic registers the first people, and calls until stop.
func newTraffic(ctx context.Context, client *muster.Client, t *tally) (*traffic, error) {
	d := &traffic{transport: httprpc.NewTransport(client, nil), tally: t, ledger: newLedger()}
	for len(d.people) < founders {
		var err error
		if !until(ctx, readyIn, func() bool { err = d.register(ctx); return err == nil }) { // services that just started may not know each other yet
			return nil, errors.Join(ctx.Err(), fmt.Errorf("the first people cannot register: %w", err))
		}
	}
	pace, stop := context.WithCancel(ctx)
	d.stop = stop
	slots := make(chan int)
	d.workers.Go(func() { beat(pace, slots) })
	for range atOnce {
		d.workers.Go(func() {
			for n := range slots {
				d.call(context.WithoutCancel(ctx), n) // what was begun is finished, so that its outcome is known
			}
		})
	}
	return d, nil
}

// beat hands out a number at each beat, when somebody is free to take it.
func beat(ctx context.Context, slots chan<- int) {
	defer close(slots)
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		select {
		case slots <- n:
			n++
		default: // all are busy
		}
	}
}

// end stops calling, and returns when the last call has its answer.
func (d *traffic) end() {
	d.stop()
	d.workers.Wait()
	d.transport.CloseIdleConnections()
}

// call makes the n-th call. Of twenty, eight look somebody up, eight comment, two register, and two comment without a key.
func (d *traffic) call(ctx context.Context, n int) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	switch began, kind := time.Now(), n%20; {
	case kind%10 == 9:
		d.tally.plain(d.comment(ctx, ""))
	case kind%10 == 4:
		err := d.register(ctx)
		d.tally.safe(time.Since(began), err)
	case kind%2 == 0:
		err := d.comment(ctx, rand.Text())
		d.tally.safe(time.Since(began), err)
	default:
		err := d.lookUp(ctx, d.transport)
		d.tally.safe(time.Since(began), err)
	}
}

// register registers somebody new.
func (d *traffic) register(ctx context.Context) error {
	p := person{email: fmt.Sprintf("p%d@example.org", d.next())}
	var said struct {
		ID string `json:"u_id"`
	}
	err := d.post(ctx, "/api/v1/register", rand.Text(), map[string]any{
		"timestamp": time.Now().Unix(), "email": p.email, "name": "somebody", "language": "ZH", "country": "CN",
	}, &said)
	if err != nil {
		return err
	}
	p.id = said.ID
	d.mu.Lock()
	d.people = append(d.people, p)
	d.mu.Unlock()
	return d.ledger.person(p.id, p.email)
}

// comment comments on somebody's article, with a content that no other comment has.
func (d *traffic) comment(ctx context.Context, key string) error {
	content := fmt.Sprintf("comment %d", d.next())
	var said struct {
		ID int64 `json:"comment_id"`
	}
	err := d.post(ctx, "/api/v1/comment", key, map[string]any{
		"timestamp": time.Now().Unix(), "u_id": d.somebody().id, "article_u_id": d.somebody().id, "article_id": 100, "content": content,
	}, &said)
	if err != nil {
		d.ledger.doubt(content)
		return err
	}
	return d.ledger.comment(said.ID, content)
}

// extra looks somebody up, off the beat and through another transport.
func (d *traffic) extra(ctx context.Context, via *httprpc.Transport) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callWithin)
	defer cancel()
	began := time.Now()
	err := d.lookUp(ctx, via)
	d.tally.safe(time.Since(began), err)
}

// lookUp reads what somebody registered with.
func (d *traffic) lookUp(ctx context.Context, via *httprpc.Transport) error {
	p := d.somebody()
	var said struct{ Email string }
	if err := ask(ctx, via, httprpc.Request{Path: "/api/v1/users/" + p.id}, &said); err != nil {
		return err
	}
	if said.Email != p.email {
		return fmt.Errorf("user %s is %s, not %q as the API says", p.id, p.email, said.Email)
	}
	return nil
}

// post posts a body; without a key it is not repeated.
func (d *traffic) post(ctx context.Context, path, key string, body map[string]any, said any) error {
	r := httprpc.Request{Path: path, Body: body}
	if key != "" {
		r.Header = http.Header{httprpc.KeyHeader: {key}}
	}
	return ask(ctx, d.transport, r, said)
}

// ask makes a call of the comment API, and reads the data of its answer.
func ask(ctx context.Context, via *httprpc.Transport, r httprpc.Request, said any) error {
	r.Service = social.CommentsRole
	answer, err := httprpc.DoJSON[struct {
		Code    int
		Message string
		Data    json.RawMessage
	}](ctx, via, r)
	if err != nil {
		return err
	}
	if answer.Code != social.CodeOK {
		return fmt.Errorf("%s answered code %d, %q", r.Path, answer.Code, answer.Message)
	}
	return json.Unmarshal(answer.Data, said)
}

func (d *traffic) next() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.serial++
	return d.serial
}

func (d *traffic) somebody() person {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.people[mathrand.IntN(len(d.people))]
}
