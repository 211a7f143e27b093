// Package httprpc carries calls over HTTP.
//
// The client half is [Transport], an http.RoundTripper: with it a stock http.Client calls services by name, as in
// client.Get("http://ORDERS/orders/7"). [GetJSON], [PostJSON] and [DoJSON] stand on the same transport.
//
// The server half is [Handler], which any http.Handler can be wrapped in, and [Serve], which runs an http.Server as an
// instance of a service from the first request to the last.
//
// # Headers
//
// Idempotency-Key on a request says that the server answers the same key the same way, so that a POST may be repeated.
// Muster-Caller, Muster-Priority and Muster-Timeout tell the server who calls, how important it is and how long the caller
// will wait; Muster-Unsent on an answer tells the client that nothing was done. Traceparent, tracestate and baggage of a
// request that is being served go along with the calls made for it. Muster-Load tells clients that ask for it how busy a server
// is, and Muster-Probe asks for that alone. All of them are claims of the peer, not proofs.
package httprpc
