package stats

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The fields of CloudFront's standard logs that are read, in both of its formats.
const (
	fieldDate = iota
	fieldTime
	fieldBytes
	fieldMethod
	fieldStem
	fieldStatus
	fieldAgent
	fieldLength
	needed // fields before this one have to be in the log

	fieldQuery = iota - 1
	fieldRangeStart
	fieldRangeEnd
	fieldCountry
	fieldCount
)

var fieldNames = map[string]int{
	"date": fieldDate, "time": fieldTime, "sc-bytes": fieldBytes, "cs-method": fieldMethod, "cs-uri-stem": fieldStem, "sc-status": fieldStatus,
	"cs(User-Agent)": fieldAgent, "sc-content-len": fieldLength, "cs-uri-query": fieldQuery, "sc-range-start": fieldRangeStart,
	"sc-range-end": fieldRangeEnd, "c-country": fieldCountry,
}

// fields are the values of one line; nil if the log does not have it.
type fields [fieldCount][]byte

// A days finds days of dates.
type days struct {
	date [10]byte
	day  int64
}

// of returns the day of a date such as 2026-11-29. Most lines are of the day of the line before.
func (d *days) of(date []byte) (int64, bool) {
	if string(d.date[:]) == string(date) {
		return d.day, true
	}
	t, err := time.Parse(time.DateOnly, string(date))
	if err != nil {
		return 0, false
	}
	day := t.Unix() / (24 * 60 * 60)
	if day < firstDay || day > lastDay {
		return 0, false
	}
	copy(d.date[:], date)
	d.day = day
	return day, true
}

// read reads an entry. An answer carried what its Content-Length says if CloudFront sent at least as many bytes, with the header.
func (d *days) read(f *fields, e *entry) bool {
	var ok, isLength bool
	if e.day, ok = d.of(f[fieldDate]); !ok {
		return false
	}
	if e.status, ok = httpStatus(f[fieldStatus]); !ok {
		if string(f[fieldStatus]) != "000" { // the client left before there was an answer
			return false
		}
	}
	sent, ok := number(f[fieldBytes])
	if !ok || len(f[fieldMethod]) == 0 || len(f[fieldStem]) == 0 {
		return false
	}
	e.get = string(f[fieldMethod]) == "GET"
	e.path, e.query = f[fieldStem], f[fieldQuery]
	if string(e.query) == "-" {
		e.query = nil
	}
	e.agent, e.country = f[fieldAgent], countryOf(f[fieldCountry])
	e.end, isLength = number(f[fieldLength])
	switch {
	case !isLength && !absent(f[fieldLength]):
		return false
	case !isLength || sent < e.end:
		e.end = 0
	case e.status == 206:
		e.end = rangeEnd(f, e.end)
	}
	return true
}

// rangeEnd returns the end of a part that has a length, or 0 if the log does not say which part it was.
func rangeEnd(f *fields, length int64) int64 {
	start, ok := number(f[fieldRangeStart])
	if !ok {
		return 0
	}
	if end, ok := number(f[fieldRangeEnd]); ok && end != start+length-1 {
		return 0
	}
	return start + length
}

// absent reports whether a field has no value.
func absent(value []byte) bool { return len(value) == 0 || string(value) == "-" }

// A w3c reads the W3C extended format: fields between tabs, in the order of the last line that begins with "#Fields:".
type w3c struct {
	days
	columns []int // the field of each column; -1 for those that are not read
}

// errFields is returned for a log that lacks a field without which downloads cannot be counted.
var errFields = errors.New("the log lacks a field; add it to the fields that CloudFront logs")

// setFields takes the order of columns from a line that begins with "#Fields:".
func (w *w3c) setFields(line []byte) error {
	names := strings.Fields(strings.TrimPrefix(string(line), fieldsLine))
	columns := make([]int, len(names))
	var has [fieldCount]bool
	for i, name := range names {
		n, ok := fieldNames[name]
		if !ok {
			columns[i] = -1
			continue
		}
		columns[i], has[n] = n, true
	}
	for name, n := range fieldNames {
		if n < needed && !has[n] {
			return fmt.Errorf("%w: %s", errFields, name)
		}
	}
	w.columns = columns
	return nil
}

const fieldsLine = "#Fields:"

func (w *w3c) parse(line []byte, e *entry) bool {
	var f fields
	for i, column := range w.columns {
		value, rest, more := bytes.Cut(line, []byte("\t"))
		if more != (i < len(w.columns)-1) {
			return false
		}
		if column >= 0 {
			f[column] = value
		}
		line = rest
	}
	return len(w.columns) > 0 && w.read(&f, e)
}
