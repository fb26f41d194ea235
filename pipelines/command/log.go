package command

import (
	"io"
	"log/slog"
)

// LogHandler returns a handler that writes a log to w. form is "text" or "json"; level, the least one that is written, is
// "debug", "info", "warn" or "error". It panics on another level: the grammar of the flag checks it.
func LogHandler(w io.Writer, form, level string) slog.Handler {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		panic(err) // the grammar has an enum
	}
	options := &slog.HandlerOptions{Level: least}
	if form == "json" {
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}
