// Command bare is a net/http server that answers 200 to everything, and nothing else: the least that can be started.
// Its one argument is the address.
package main

import (
	"log"
	"net/http"
	"os"
)

func main() {
	log.Fatal(http.ListenAndServe(os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n")) // the asker may be gone
	})))
}
