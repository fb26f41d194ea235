package stats

import (
	"bytes"
	"time"
)

// A combined reads the combined format of nginx and Apache:
//
//	ADDRESS - USER [29/Nov/2026:21:57:10 +0000] "GET /path HTTP/1.1" 200 1234 "REFERER" "AGENT"
//
// The name of a virtual host may precede the address, and more fields may follow the agent: a quoted one that begins with "bytes "
// is the Content-Range of the answer ("$sent_http_content_range"). Both servers escape quotes and backslashes in what clients send.
// So the first plain quote begins the request for any user name that was sent, and the time is right before it.
type combined struct {
	minute [22]byte // "29/Nov/2026:21:57+0000", and its day
	day    int64
}

// timeLength is the length of "29/Nov/2026:21:57:10 +0000".
const timeLength = 26

func (f *combined) parse(line []byte, e *entry) bool {
	quote := plainQuote(line)
	if quote < timeLength+3 || line[quote-1] != ' ' || line[quote-2] != ']' || line[quote-3-timeLength] != '[' {
		return false
	}
	ok := false
	if e.day, ok = f.dayOf(line[quote-2-timeLength : quote-2]); !ok {
		return false
	}
	rest := line[quote+1:]
	quote = plainQuote(rest)
	if quote < 0 {
		return false
	}
	request, rest := rest[:quote], rest[quote+1:]
	if len(rest) < 6 || rest[0] != ' ' || rest[4] != ' ' {
		return false
	}
	if e.status, ok = httpStatus(rest[1:4]); !ok {
		return false
	}
	size, rest, ok := bytes.Cut(rest[5:], []byte(" "))
	if !ok {
		return false
	}
	if e.end, ok = number(size); !ok && !bytes.Equal(size, []byte("-")) { // Apache's form of 0
		return false
	}
	_, rest, ok = quoted(rest) // the referer
	if !ok {
		return false
	}
	if e.agent, rest, ok = quoted(rest); !ok {
		return false
	}
	e.country = 0
	e.readRange(rest)
	return e.readRequest(request)
}

// readRange takes the end of the answer from its Content-Range, "bytes 100-199/200", if that is among the fields of rest.
func (e *entry) readRange(rest []byte) {
	for e.status == 206 && len(rest) > 0 {
		var field []byte
		var ok bool
		if field, rest, ok = quoted(rest); !ok {
			return
		}
		numbers, found := bytes.CutPrefix(field, []byte("bytes "))
		first, after, isRange := bytes.Cut(numbers, []byte("-"))
		start, isNumber := number(first)
		last, _, _ := bytes.Cut(after, []byte("/"))
		end, isEnd := number(last)
		if found && isRange && isNumber && isEnd && start <= end {
			if e.end >= end-start+1 { // all of the part was sent
				e.end = end + 1
			} else {
				e.end += start
			}
			return
		}
	}
}

// readRequest reads "GET /path?query HTTP/1.1". A request that is not of this form was refused by the server: it is an entry
// without a path.
func (e *entry) readRequest(request []byte) bool {
	e.path, e.query = nil, nil
	method, rest, ok := bytes.Cut(request, []byte(" "))
	e.get = ok && string(method) == "GET"
	space := bytes.LastIndexByte(rest, ' ')
	if !ok || space < 0 || !bytes.HasPrefix(rest[space+1:], []byte("HTTP/")) {
		return true
	}
	e.path, e.query, _ = bytes.Cut(rest[:space], []byte("?"))
	return true
}

// plainQuote returns the index of the first quote that is not escaped, or -1.
func plainQuote(s []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(s[at:], '"')
		if i < 0 {
			return -1
		}
		i += at
		slashes := 0
		for j := i - 1; j >= 0 && s[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
		at = i + 1
	}
}

// quoted returns the first quoted field of s, and what follows it and a blank.
func quoted(s []byte) (field, rest []byte, ok bool) {
	if len(s) < 2 || s[0] != '"' {
		return nil, nil, false
	}
	end := plainQuote(s[1:])
	if end < 0 {
		return nil, nil, false
	}
	field, rest = s[1:1+end], s[end+2:]
	if len(rest) > 0 && rest[0] != ' ' {
		return nil, nil, false
	}
	return field, bytes.TrimPrefix(rest, []byte(" ")), true
}

// dayOf returns the day of a time, in UTC. Most lines are of the minute of the line before.
func (f *combined) dayOf(at []byte) (int64, bool) {
	if string(f.minute[:17]) == string(at[:17]) && string(f.minute[17:]) == string(at[21:]) && seconds(at) {
		return f.day, true
	}
	t, err := time.Parse("02/Jan/2006:15:04:05 -0700", string(at))
	if err != nil {
		return 0, false
	}
	day := t.Unix() / (24 * 60 * 60)
	if day < firstDay || day > lastDay {
		return 0, false
	}
	copy(f.minute[:17], at[:17])
	copy(f.minute[17:], at[21:])
	f.day = day
	return day, true
}

// seconds reports whether a time has the form ":10 " behind its minute.
func seconds(at []byte) bool {
	_, ok := number(at[18:20])
	return ok && at[17] == ':' && at[20] == ' ' && at[18] <= '6'
}
