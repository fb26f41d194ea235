package command

import (
	"io"
	"log/slog"
)

// LogHandler returns what writes the log of a process: in form text or json, and from level debug, info, warn or error.
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
