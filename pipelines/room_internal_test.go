package pipelines

import (
	"errors"
	"strings"
	"testing"
)

func TestRoom(t *testing.T) {
	plenty := room{bytes: 1 << 40, nodes: 1 << 20, bounded: true, writeable: true}
	all := Config{Staging: "file:///d/staging", Bucket: "file:///d/bucket", Catalog: "sqlite:///d/db/catalog.db", CacheDir: "/d/cache"}
	with := func(change func(*room)) room { r := plenty; change(&r); return r }
	for _, tt := range []struct {
		fact string
		cfg  Config
		at   map[string]room // what is not plenty
		says string          // nothing: there is room
	}{
		{"all have room", all, nil, ""},
		{"the bucket is full", all, map[string]room{"/d/bucket": with(func(r *room) { r.bytes = minRoom - 1 })}, "bucket: the file system of /d/bucket is full: 63 MiB are free, and 64 are needed"},
		{"as much as is needed is enough", all, map[string]room{"/d/bucket": with(func(r *room) { r.bytes = minRoom })}, ""},
		{"staging is full", all, map[string]room{"/d/staging": {bounded: true, nodes: 1 << 20, writeable: true}}, "staging: "},
		{"the catalog's folder is full", all, map[string]room{"/d/db": {writeable: true}}, "catalog: the file system of /d/db is full"},
		{"the cache is full", all, map[string]room{"/d/cache": {writeable: true}}, ""},
		{"no file can be made", all, map[string]room{"/d/bucket": with(func(r *room) { r.nodes = 0 })}, "bucket: the file system of /d/bucket has room for 0 more files"},
		{"a file system without a bound of files", all, map[string]room{"/d/bucket": with(func(r *room) { r.nodes, r.bounded = 0, false })}, ""},
		{"a file system that became read-only", all, map[string]room{"/d/bucket": with(func(r *room) { r.writeable = false })}, "bucket: the file system of /d/bucket is mounted read-only"},
		{"stores elsewhere", Config{Staging: "gs://b", Bucket: "s3://b?region=r", Catalog: "mysql://u@h/d"}, map[string]room{"": {}, ".": {}}, ""},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			err := roomIn(tt.cfg, func(dir string) (room, error) {
				if r, ok := tt.at[dir]; ok {
					return r, nil
				}
				return plenty, nil
			})
			if (err != nil) != (tt.says != "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
	gone := errors.New("gone")
	if err := roomIn(all, func(string) (room, error) { return room{}, gone }); !errors.Is(err, gone) {
		t.Errorf("a folder that is gone: %v", err)
	}
}
