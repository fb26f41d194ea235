package main

import (
	"expvar"
	"log/slog"

	"repomill/schemas/layout"
)

// The tests of the program are in another package: they read the routes of the API as the variable "routes of the API".
func init() {
	expvar.Publish("routes of the API", expvar.Func(func() any {
		table, err := layout.ReadTable("")
		if err != nil {
			panic(err)
		}
		h := newAPI(apiConfig{table: table, log: slog.New(slog.DiscardHandler)})
		defer h.downloads.close()
		var changing []string
		for _, r := range h.routes {
			if r.Changes() {
				changing = append(changing, r.String())
			}
		}
		return append([]string{}, changing...)
	}))
}
