package muster

import "time"

// Load is what a server says of itself, beside an answer or when it is asked: how busy it is. Clients choose by it. It is a
// claim of the server's. The zero value says nothing.
type Load struct {
	InFlight int           // requests inside, waiting ones included
	Latency  time.Duration // median of the requests that came while about as many were inside; 0: the server does not know
	Draining bool          // it is about to stop: call another one
}
