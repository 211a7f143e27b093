// Package docs runs the commands that README and docs show, as a reader would type them.
//
// Every fenced block whose language is console is run. A line that starts with "$ " is a command for bash; it goes on after a line that ends
// with a backslash, and with lines that start with "> ". The other lines are what it prints: white space counts as one blank, empty lines do not
// count, "…" in a line stands for anything and as a line for any number of lines. A command without such lines may print what it likes. A command
// must exit with status 0.
//
// The blocks of one file share one shell, which starts in an empty directory; its home is empty too. The sub-directory "clone" there is a clone
// of this tree with its uncommitted changes, and cloning github.com/muster-go/muster clones the same. In PATH are the muster of this tree and
// the Python that has python-eureka-client. On Linux as root each page has a network of its own with nothing but loopback, so the ports that it
// names are free; elsewhere they have to be.
//
// The commands that run this test themselves (make test, make test-docs, .ci/run) are not run by it.
//
// A command that ends with "&" runs on: the lines under it are waited for, and what it prints later is free. All that runs is asked to stop
// (SIGTERM) at the end of the file, and must.
//
// An HTML comment before a block changes how it is run:
//
//	<!-- console: dir=clone timeout=90s background skip-output -->
//
// dir starts the block there; timeout is for each of its commands (60s without it); background runs each as if it ended with "&", as in
// another terminal; skip-output compares nothing.
//
// Two more things are held to be true: each block of Go stands in an example or a conformance test, and each link to a file of this tree
// leads to one.
package docs
