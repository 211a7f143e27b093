// Package promises compares the exported Go API with the list of what was promised (docs/compatibility.md). It holds tests alone.
package promises
