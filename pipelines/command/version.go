package command

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Version returns the version of the program: that of the module if it is known, the VCS revision and its time, and
// "modified" if the sources had uncommitted changes.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknownVersion
	}
	return versionOf(info)
}

const unknownVersion = "unknown"

func versionOf(info *debug.BuildInfo) string {
	said := map[string]string{}
	for _, s := range info.Settings {
		said[s.Key] = s.Value
	}
	module := strings.TrimPrefix(info.Main.Version, "(devel)")
	var build []string
	if revision := said["vcs.revision"]; revision != "" {
		build = append(build, revision[:min(12, len(revision))])
	}
	if t := said["vcs.time"]; t != "" {
		build = append(build, t)
	}
	if said["vcs.modified"] == "true" {
		build = append(build, "modified")
	}
	if len(build) == 0 {
		return cmp.Or(module, unknownVersion)
	}
	if module == "" || strings.Contains(module, build[0]) { // a pseudo-version says the same
		return strings.Join(build, " ")
	}
	return module + " (" + strings.Join(build, " ") + ")"
}

// UserAgent returns the User-Agent header of a program: its name and version.
func UserAgent(name string) string { return name + "/" + strings.Fields(Version())[0] }

// BuildInfo returns the metric repomill_build_info: the value 1, with the version as a label.
func BuildInfo() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "repomill_build_info", Help: "Which build runs; the value is always 1.",
		ConstLabels: prometheus.Labels{"version": Version(), "goversion": runtime.Version()},
	}, func() float64 { return 1 })
}
