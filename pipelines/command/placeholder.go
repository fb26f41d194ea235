package command

import (
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// placeholders sets the placeholder in the help of each flag whose tag has none. kong would show STRING for a string, and
// "" for an enum without a default.
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
