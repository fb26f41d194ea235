package catalog

import "time"

// A PackageQuery selects active packages of a repository. A condition that is empty selects all.
type PackageQuery struct {
	Repository Repository
	Format     Format
	OS         string
	OSVersion  string
	Version    string // as listed, or without its epoch
	Name       string
	Arch       string
	File       string // a part of the file's name, upper and lower case alike
	Offset     int    // how many of the selected packages are left out, in the order of the list
	Limit      int    // how many are returned at most
}

// A ListedPackage is a package in a list, without fragments.
type ListedPackage struct {
	Package
	Visible bool // clients see it in every release that it belongs to
}

// A PackagePage is a part of the packages that a query selects.
type PackagePage struct {
	Packages []ListedPackage // by distribution, and there by name and version
	Total    int             // of all pages
}

// A PackageGroup counts the versions of one name and architecture in one distribution.
type PackageGroup struct {
	Distribution Distribution
	Format       Format
	Name         string
	Arch         string
	Versions     int
}

// An Activity says since when there is a repository, how much it has, and when it last changed.
type Activity struct {
	Created   time.Time
	Packages  int        // active, in all distributions
	Published *time.Time // when clients last got something new; nil if they never did
}
