// Go's net/http/fcgi under load: go-fcgi WORKLOAD, the listening socket as descriptor 0.
// What is answered is described in benches/src/serving.rs.
package main

import (
	"io"
	"log"
	"net/http"
	"net/http/fcgi"
	"os"
	"strconv"
	"strings"
)

const text = "\nis what was asked for; it is in the cart with 2 others, for 47.11 EUR\n"

func main() {
	workload := "page"
	if len(os.Args) > 1 {
		workload = os.Args[1]
	}
	var body []byte
	if strings.HasPrefix(workload, "body:") {
		count, err := strconv.Atoi(strings.TrimPrefix(workload, "body:"))
		if err != nil {
			log.Fatal(err)
		}
		body = make([]byte, count)
		for i := range body {
			body[i] = 'a' + byte(i%23)
		}
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		switch {
		case workload == "upload":
			length, err := io.Copy(io.Discard, r.Body)
			if err != nil {
				log.Print(err)
			}
			io.WriteString(w, strconv.FormatInt(length, 10))
		case body != nil:
			w.Write(body)
		default:
			io.WriteString(w, r.URL.RequestURI()+text)
		}
	}
	log.Fatal(fcgi.Serve(nil, http.HandlerFunc(handler)))
}
