package catalogdb

// Contents are what was read of the files of a package.
type Contents struct {
	Files     int    // how many
	Changelog string // the newest entries of its changelog, as it has them; empty if it has none
}
