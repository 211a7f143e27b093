module github.com/muster-go/muster/test/interop

go 1.26.0

require (
	github.com/muster-go/muster v0.0.0-00010101000000-000000000000
	go.uber.org/goleak v1.3.0
)

replace github.com/muster-go/muster => ../..
