package sim

// Chooser is what one client knows of the servers, and how it chooses by it. It is told what a client can see and nothing
// else, and is called from one goroutine.
type Chooser interface {
	// List says which servers there are from now on, in place of those it was told before. It keeps no reference.
	List(now int64, listed []Listed)

	// Pick returns the server for an attempt that begins now and is not in tried, or -1. The attempt's number is no other
	// attempt's until Done.
	Pick(now int64, attempt int32, tried []int32) int32

	// Done says how an attempt ended. Each pick is followed by exactly one.
	Done(now int64, end End)
}

// Prober is a Chooser that asks servers for their load.
type Prober interface {
	Chooser

	// Probe is called twice after each pick, and returns a server to ask, or -1.
	Probe(now int64) int32

	// Probed brings a server's answer. One that hangs or is gone never answers.
	Probed(now int64, server int32, load Load)

	// Missed says that nobody was there to be asked.
	Missed(now int64, server int32)
}

// Listed is a server as a registry shows it.
type Listed struct {
	Server int32 // its number, as long as the run
	Zone   string
}

// End is how an attempt ended, as its client sees it.
type End struct {
	Attempt   int32
	Server    int32
	Took      int64
	Failed    bool
	Unreached bool // it failed before anybody could have seen it
}

// Load is what a server says of itself.
type Load struct {
	InFlight int64
	Latency  int64 // median, at about that many in flight; 0: not known
}

// Picker is a way of choosing, of which every client of a run has its own Chooser.
type Picker struct {
	Name string
	Open func(f *Field) func(c Client) Chooser // called once a run; what it returns is called once for each client
}

// Client is one of the callers.
type Client struct {
	Number int
	Zone   string
	Seed   uint64
}

// Field is a run as an oracle sees it: what no client can know.
type Field struct{ fleet *fleet }
