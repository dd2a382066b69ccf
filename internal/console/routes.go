package console

import "net/http"

// routes puts the collector and the pages behind one listener.
func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/services/", newCollector(c))
	return mux
}
