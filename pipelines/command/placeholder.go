package command

import (
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// placeholders has the help of a flag show what its value is, where its tag does not: kong shows STRING for a text, and
// "" for a choice of which none is the default.
func placeholders() kong.Option {
	return kong.PostBuild(func(k *kong.Kong) error {
		return kong.Visit(k.Model, func(v kong.Visitable, next kong.Next) error {
			if f, ok := v.(*kong.Flag); ok && f.PlaceHolder == "" && f.Default == "" && f.Target.Kind() == reflect.String {
				f.PlaceHolder = placeholder(f)
			}
			return next(nil)
		})
	})
}

func placeholder(f *kong.Flag) string {
	switch {
	case f.Enum != "":
		choices := slices.DeleteFunc(strings.Split(f.Enum, ","), func(s string) bool { return s == "" })
		return strings.Join(choices, "|")
	case f.Tag.Type == "path" || f.Tag.Type == "existingfile":
		return "PATH"
	case strings.HasPrefix(f.Help, "URL ") || strings.Contains(f.Help, ": URL "):
		return "URL"
	}
	return strings.ToUpper(f.Name)
}
