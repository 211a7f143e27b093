module github.com/muster-go/muster/bench

go 1.26.0

replace github.com/muster-go/muster => ..

require (
	github.com/muster-go/muster v0.0.0
	golang.org/x/sys v0.49.0
)
