package rpm

// Types of header entries (rpm, rpmtag.h: rpmTagType).
const (
	typeChar   = 1
	typeInt16  = 3
	typeInt32  = 4
	typeInt64  = 5
	typeString = 6
	typeBinary = 7
	typeArray  = 8
	typeI18N   = 9
)

// widths are the sizes in bytes of one value, by type. They are the alignments of values, too. Strings have none.
var widths = [...]uint32{typeChar: 1, 2: 1, typeInt16: 2, typeInt32: 4, typeInt64: 8, typeBinary: 1}

func isString(typ uint32) bool { return typ == typeString || typ == typeArray || typ == typeI18N }

// Tags of both headers.
const (
	tagImageRegion     = 61
	tagSignatureRegion = 62
	tagMainRegion      = 63
	tagFirstOrdinary   = 100 // tags below it are those of regions
)

// Tags of the signature header. Their numbers mean something else in the main header.
const (
	sigDSA             = 267 // of the main header, by a key of any kind but RSA
	sigRSA             = 268 // of the main header, by RSA
	sigSHA1            = 269
	sigLongSize        = 270
	sigLongArchiveSize = 271
	sigSHA256          = 273
	sigOpenPGP         = 278 // rpm 6: signatures of the main header, in base64
	sigSHA3            = 279
	sigSize            = 1000
	sigPGP             = 1002 // of the main header and the payload, by RSA
	sigMD5             = 1004
	sigGPG             = 1005 // of the main header and the payload, by a key of another kind
	sigArchiveSize     = 1007
)

// sigBase is the number that go-rpmutils adds to tags of the signature header from 1000 on.
const sigBase = 16384

// Tags of the main header. The weak dependencies have no constants in go-rpmutils.
const (
	tagName              = 1000
	tagVersion           = 1001
	tagRelease           = 1002
	tagEpoch             = 1003
	tagSummary           = 1004
	tagDescription       = 1005
	tagBuildTime         = 1006
	tagBuildHost         = 1007
	tagSize              = 1009
	tagVendor            = 1011
	tagLicense           = 1014
	tagPackager          = 1015
	tagGroup             = 1016
	tagURL               = 1020
	tagArch              = 1022
	tagOldFileNames      = 1027
	tagFileModes         = 1030
	tagOS                = 1021
	tagFileSizes         = 1028
	tagFileDigests       = 1035
	tagFileLinks         = 1036
	tagFileFlags         = 1037
	tagFileUsers         = 1039
	tagFileGroups        = 1040
	tagSourceRPM         = 1044
	tagArchiveSize       = 1046
	tagChangeTime        = 1080
	tagChangeName        = 1081
	tagChangeText        = 1082
	tagFileDevices       = 1095
	tagFileInodes        = 1096
	tagSourcePackage     = 1106
	tagDirIndexes        = 1116
	tagBaseNames         = 1117
	tagDirNames          = 1118
	tagPayloadFormat     = 1124
	tagPayloadCompressor = 1125
	tagLongFileSizes     = 5008
	tagFileDigestAlgo    = 5011
	tagLongSize          = 5009
	tagPayloadDigest     = 5092
	tagPayloadAlgo       = 5093
	tagUnpackedHash      = 5097 // digest of the payload, unpacked
	tagPayloadSize       = 5112 // v6: bytes of the compressed payload
	tagPayloadPlain      = 5113 // v6: bytes of the payload, unpacked
)

// A dependencyTags has the tags of one kind of dependency: three arrays of equal length.
type dependencyTags struct{ name, flags, version uint32 }

// The kinds of dependencies. SUSE used the last two before rpm had tags for them.
var (
	provides    = dependencyTags{1047, 1112, 1113}
	requires    = dependencyTags{1049, 1048, 1050}
	conflicts   = dependencyTags{1054, 1053, 1055}
	obsoletes   = dependencyTags{1090, 1114, 1115}
	recommends  = dependencyTags{5046, 5048, 5047}
	suggests    = dependencyTags{5049, 5051, 5050}
	supplements = dependencyTags{5052, 5054, 5053}
	enhances    = dependencyTags{5055, 5057, 5056}
	oldSuggests = dependencyTags{1156, 1158, 1157}
	oldEnhances = dependencyTags{1159, 1161, 1160}
)

var dependencyKinds = []dependencyTags{
	provides, requires, conflicts, obsoletes, recommends, suggests, supplements, enhances, oldSuggests, oldEnhances,
}

// perFileTags are the tags with one value for each file whose count librpm checks before it installs
// (rpmfilesPopulate, rpmfnInit). It does not check FILEDEPENDSX and FILEDEPENDSN, which rpm 6.0.0 wrote too long, or
// tags that it can do without: targets where there are no symbolic links, verify flags, devices, languages, classes.
var perFileTags = []uint32{
	tagBaseNames, tagDirIndexes, tagFileModes, tagFileFlags, tagFileSizes, tagFileDigests, tagFileUsers, tagFileGroups, tagFileInodes,
	1033, // device numbers of special files
	1034, // modification times
	1140, // colors
	tagLongFileSizes,
	5010, // capabilities
}
