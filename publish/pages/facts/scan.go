package facts

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
)

// An element is an XML element of a fragment.
type element struct {
	name       string // with its prefix, as written: "rpm:entry"
	attributes []xml.Attr
	chars      string // the text up to the next tag
}

// scan calls do for each element of a fragment up to the first path: paths are the last elements, and may be very many.
func scan(fragment []byte, do func(element)) error {
	head, _, _ := bytes.Cut(fragment, []byte("<file")) // neither texts nor values have a "<"
	d := xml.NewDecoder(bytes.NewReader(bytes.ToValidUTF8(head, []byte("\uFFFD"))))
	var e element
	for {
		token, err := d.RawToken() // the prefix rpm is declared by the index, outside of the fragment
		switch token := token.(type) {
		case xml.CharData:
			if e.name != "" && len(e.chars) <= MaxText { // what is beyond that is cut off anyway
				e.chars += string(token)
			}
			continue
		case xml.Comment, xml.ProcInst, xml.Directive:
			continue
		case xml.StartElement:
			if e.name != "" {
				do(e)
			}
			e = element{name: token.Name.Local, attributes: token.Attr}
			if token.Name.Space != "" {
				e.name = token.Name.Space + ":" + token.Name.Local
			}
			continue
		}
		if e.name != "" { // the end of an element, or of the fragment
			do(e)
			e = element{}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// attribute returns the value of an attribute, or "" if the element does not have it.
func (e element) attribute(name string) string {
	for _, a := range e.attributes {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}
