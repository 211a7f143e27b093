// Package social is a small system to try muster with: people register, and who comments on an article has a notice pushed to
// its author. It is the sample of an article about nameko, with the same services, endpoints, answers and Redis keys, written
// once against a [Caller], so that the way calls travel can change without it. Here they travel over HTTP.
//
// Three roles run as services of the same names: register (check_registered, register), push (push), and comments, the HTTP
// API at /api/v1/register, /api/v1/comment and /api/v1/users/{u_id}. What they keep is in one [Store], which several instances share.
//
// An Idempotency-Key on a request goes along to everything that is done for it, and the store sees each key once: repeating a
// request, at another instance too, gives the same answer and stores nothing twice.
package social
