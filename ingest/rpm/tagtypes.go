package rpm

import (
	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A tagType is the type and the count of the values that a tag may have.
type tagType int

const (
	oneText  tagType = iota // one string, or one for each language
	texts                   // strings
	one32                   // one integer
	one64                   //
	many16                  // integers
	many32                  //
	many64                  //
	anyBytes                //
)

// fits reports whether entry e has type s. Like librpm it accepts any string type for another, and requires the exact
// type of integers (rpm, lib/header.c: hdrchkTagType).
func (s tagType) fits(e entry) bool {
	switch s {
	case oneText:
		return e.typ == typeI18N || isString(e.typ) && e.count == 1
	case texts:
		return isString(e.typ)
	case one32:
		return e.typ == typeInt32 && e.count == 1
	case one64:
		return e.typ == typeInt64 && e.count == 1
	case many16:
		return e.typ == typeInt16
	case many32:
		return e.typ == typeInt32
	case many64:
		return e.typ == typeInt64
	}
	return e.typ == typeBinary
}

var signatureTypes = map[uint32]tagType{
	sigSHA1: oneText, sigSHA256: oneText, sigSHA3: oneText, sigMD5: anyBytes,
	sigSize: one32, sigArchiveSize: one32, sigLongSize: one64, sigLongArchiveSize: one64,
}

var mainTypes = func() map[uint32]tagType {
	shapes := map[uint32]tagType{
		tagName: oneText, tagVersion: oneText, tagRelease: oneText, tagArch: oneText, tagEpoch: one32,
		tagSummary: oneText, tagDescription: oneText, tagGroup: oneText, tagBuildHost: oneText, tagVendor: oneText,
		tagLicense: oneText, tagPackager: oneText, tagURL: oneText, tagSourceRPM: oneText, tagPayloadFormat: oneText,
		tagBuildTime: one32, tagSize: one32, tagArchiveSize: one32, tagSourcePackage: one32, tagOS: oneText, tagLongSize: one64,
		tagFileModes: many16, tagFileFlags: many32, tagDirIndexes: many32, tagBaseNames: texts, tagDirNames: texts,
		tagChangeTime: many32, tagChangeName: texts, tagChangeText: texts,
		tagFileDigests: texts, tagFileUsers: texts, tagFileGroups: texts, tagFileSizes: many32, tagUnpackedHash: texts,
		tagFileLinks: texts, tagFileInodes: many32, tagFileDevices: many32, tagLongFileSizes: many64, tagFileDigestAlgo: many32, tagPayloadCompressor: oneText,
		tagPayloadDigest: texts, tagPayloadAlgo: one32, tagPayloadSize: one64, tagPayloadPlain: one64,
	}
	for _, r := range dependencyKinds {
		shapes[r.name], shapes[r.flags], shapes[r.version] = texts, many32, texts
	}
	return shapes
}()

// Limits on what one package may list. Every client loads an index with all of it.
const (
	maxFiles        = 500_000
	maxDependencies = 65_536  // of all kinds together
	maxChanges      = 100_000 // in the package; an index has the newest ten
)

// checkArrays checks that arrays of the main header that describe the same things have equal lengths.
func (x *headerIndex) checkArrays() error {
	if err := x.checkFiles(); err != nil {
		return err
	}
	left := uint32(maxDependencies)
	for _, r := range dependencyKinds {
		if err := x.checkParallel("dependencies", left, r.name, r.flags, r.version); err != nil {
			return err
		}
		left -= x.entries[r.name].count
	}
	return x.checkParallel("changelog entries", maxChanges, tagChangeTime, tagChangeName, tagChangeText)
}

// checkParallel checks that the arrays of these tags all have the same length, at most limit, or that all are absent.
// what names their elements in the rejection.
func (x *headerIndex) checkParallel(what string, limit uint32, tags ...uint32) error {
	n := x.entries[tags[0]].count
	for _, tag := range tags {
		if m := x.entries[tag].count; m > limit {
			return input.Reject(catalog.TooLarge, "the package has %d %s too many; split it", m-limit, what)
		}
		if x.entries[tag].count != n {
			return input.Reject(catalog.Malformed, "tags %d and %d of the main header list %d and %d %s; they must be equal",
				tags[0], tag, n, x.entries[tag].count, what)
		}
	}
	return nil
}

func (x *headerIndex) checkFiles() error {
	_, compressed := x.entries[tagBaseNames]
	if _, old := x.entries[tagOldFileNames]; old && !compressed {
		return input.Reject(catalog.Unsupported, "the package lists its files in the way of rpm 3; build it again with rpm 4 or later")
	}
	if err := x.checkParallel("files", maxFiles, tagBaseNames, tagDirIndexes, tagFileModes); err != nil {
		return err
	}
	for _, tag := range perFileTags {
		if _, ok := x.entries[tag]; !ok {
			continue
		}
		if err := x.checkParallel("files", maxFiles, tagBaseNames, tag); err != nil {
			return err
		}
	}
	return nil
}
