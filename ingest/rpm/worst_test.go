package rpm_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"repomill/schemas/catalog"
)

// worst are headers that ask for as much as they may of one thing, and get it or not.
func worst() map[string][]byte {
	files := func(bases []string, dirs ...string) *forgery {
		n := len(bases)
		return forge().set(strs(1117, bases...), strs(1118, dirs...), int32s(1116, make([]uint32, n)...), int16s(1030, make([]uint16, n)...),
			int32s(1037, slices.Repeat([]uint32{64}, n)...), strs(1035, make([]string, n)...), int32s(1028, make([]uint32, n)...),
			strs(1039, make([]string, n)...), strs(1040, make([]string, n)...))
	}
	long := func(n, size int) []string { return slices.Repeat([]string{strings.Repeat("x", size)}, n) }
	deps := func(f *forgery, n int, name string, version string) *forgery {
		return f.set(strs(1049, slices.Repeat([]string{name}, n)...), int32s(1048, slices.Repeat([]uint32{8}, n)...), strs(1050, slices.Repeat([]string{version}, n)...))
	}
	distinct := make([]string, 65_000)
	for i := range distinct {
		distinct[i] = "/etc/" + strings.Repeat(string(rune('a'+i%26)), 1+i/26%40) + string(rune('A'+i/1040%26)) + string(rune('A'+i/27040))
	}
	text := func(tag uint32) value { return str(tag, strings.Repeat("&", 1<<20)) }
	changes := func(n, size int) *forgery {
		return forge().set(strs(1081, slices.Repeat([]string{"a"}, n)...), int32s(1080, slices.Repeat([]uint32{5}, n)...), strs(1082, slices.Repeat([]string{strings.Repeat("é", size/2)}, n)...))
	}
	return map[string][]byte{
		"500,000 files without a name":           files(make([]string, 500_000), "/etc/").bytes(),
		"500,000 directories":                    files([]string{"x"}, make([]string, 500_000)...).bytes(),
		"500,001 directories":                    files([]string{"x"}, make([]string, 500_001)...).bytes(),
		"files that fill a header":               files(long(260_000, 240), "/usr/share/").bytes(),
		"files that fill half a header, indexed": files(long(200_000, 150), "/usr/share/").bytes(),
		"files of a long directory":              longPaths("/"),
		"files of a long directory, in primary":  longPaths("/etc/"),
		"files to escape":                        files(slices.Repeat([]string{"&&&&&&&&"}, 200_000), "/etc/").bytes(),
		"Latin-1 in all files":                   files(slices.Repeat([]string{"\xe9\xe9\xe9\xe9"}, 300_000), "/etc/").bytes(),
		"65,000 distinct dependencies on files":  forge().set(strs(1049, distinct...), int32s(1048, make([]uint32, len(distinct))...), strs(1050, make([]string, len(distinct))...)).bytes(),
		"65,530 dependencies":                    deps(forge(), 65_530, "a", "1:2-3").bytes(),
		"dependencies of 6 MiB":                  deps(forge(), 600, strings.Repeat("é", 5000), "").bytes(),
		"dependencies of 9 MiB":                  deps(forge(), 900, strings.Repeat("é", 5000), "").bytes(),
		"a summary of 60 MiB":                    forge().set(str(1004, strings.Repeat("x", 60<<20))).bytes(),
		"a million summaries":                    forge().set(value{1004, 9, 1_000_000, bytes.Repeat([]byte{'x', 0}, 1_000_000)}).bytes(),
		"seven texts of 1 MiB to escape":         forge().set(text(1004), text(1005), text(1011), text(1014), text(1015), text(1016), text(1020)).bytes(),
		"ten changes of 700 KB":                  changes(10, 700_000).bytes(),
		"100,000 changes":                        changes(100_000, 200).bytes(),
		"a binary tag of 60 MiB":                 forge().set(bin(5555, make([]byte, 60<<20))).bytes(),
	}
}

// No header makes the intake take more than 64 MiB beyond its own size, or more than seconds.
func TestWorstHeaders(t *testing.T) {
	for name, b := range worst() {
		t.Run(name, func(t *testing.T) {
			_, err := measured(t, b)
			var rej *catalog.Rejection
			if err != nil && (!errors.As(err, &rej) || rej.Reason == catalog.ParserPanic) {
				t.Error(err)
			}
		})
	}
}
