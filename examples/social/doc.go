// Package social is a small system to try muster with: people register, and who comments on an article has a notice pushed to
// its author. It is the sample of an article about nameko, with the same services, endpoints, answers and Redis keys, written
// once against a [Caller], so that the way calls travel can change without it. Here they travel over HTTP.
//
// Three roles run as services of the same names: register (check_registered, register), push (push), and comments, the HTTP
// API at /api/v1/register, /api/v1/comment and /api/v1/users/{u_id}. What they keep is in one [Store], which several instances share.
//
// A Store is a few Redis hashes: the sample's users (email → u_id) and users_data (u_id → what was registered, as json.dumps
// writes it), and ours beside them. They are reached through [Hashes], four commands that a Redis server has or can be taught in
// a script of some lines. [Memory] holds them in this process, and [NewStoreServer] shares them with others; there
//
//	curl $STORE/hashes/users
//	curl $STORE/hashes/users_data
//
// show what the sample's Python would find in Redis after the same requests, byte for byte. Three things differ on the way
// there, on purpose: an email or an id that nobody else may have is taken in one step, what is not JSON or holds a number that
// JSON cannot (1e400, NaN) is refused, and an email that is written as a number is kept with the digits that it came with.
//
// An Idempotency-Key on a request goes along to everything that is done for it, and the store sees each key once: repeating a
// request, at another instance too, gives the same answer and stores nothing twice.
package social
