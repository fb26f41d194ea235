package catalog

// Days are counted from 1970-01-01, UTC. Texts come from logs, which clients write: all of them are short, printable, and of tables
// or patterns of the program.

// A LogFile is a log that was counted up to some byte.
type LogFile struct {
	Source   string `json:"source"`   // URL of an object; the folder of a file
	Identity string `json:"identity"` // version of the object; digest of the first line of a file, which follows it through rotations
	State    string `json:"state"`    // size and time of the file when it was read: while they are the same, it need not be read again
	From     int64  `json:"from"`     // where counting began, in bytes after decompression
	Counted  int64  `json:"counted"`  // where it ended
}

// A DownloadCount is a number of downloads that have all of these in common.
type DownloadCount struct {
	Repository    Repository
	Distribution  Distribution
	Key           string // object key of the package
	Day           int64
	Client        string // family, such as "apt"
	ClientVersion string
	Country       string // ISO 3166, two capital letters; empty if the log has none
	Legacy        string // rule of an old URL; empty for a current one
	Ends          []End
}

// An End says how many answers ended at a byte of the package. Those that end before the last byte are not downloads.
type End struct {
	Byte  int64
	Count int64
}

// A RequestKind is what a counted request that is not a download was for.
type RequestKind string

// The kinds of requests.
const (
	MetadataRequest RequestKind = "metadata" // a pointer of a release: a client looked for updates
	InstallRequest  RequestKind = "install"  // an install script, or the configuration that one fetches
	RedirectRequest RequestKind = "redirect" // an old URL that was answered with a redirect
)

// A RequestCount is a number of requests that have all of these in common.
type RequestCount struct {
	Repository   Repository
	Kind         RequestKind
	Distribution string // os/version; empty if the path has none
	Day          int64
	Client       string
	Legacy       string
	Count        int64
}

// A LogLines says what became of lines.
type LogLines struct {
	Lines     int64 `json:"lines"`
	Downloads int64 `json:"downloads"`
	Metadata  int64 `json:"metadata"`  // and install scripts
	Redirects int64 `json:"redirects"` // of old URLs
	Partial   int64 `json:"partial"`   // answers that ended before the last byte of the package
	Unknown   int64 `json:"unknown"`   // of packages and repositories that the catalog does not have
	Failed    int64 `json:"failed"`    // other statuses than 200 and 206, such as 302, 304 and 404
	Other     int64 `json:"other"`     // other methods than GET, and paths that are not counted
	Bots      int64 `json:"bots"`
	Malformed int64 `json:"malformed"`
}

// Add adds the lines of other.
func (l *LogLines) Add(other LogLines) {
	l.Lines += other.Lines
	l.Downloads += other.Downloads
	l.Metadata += other.Metadata
	l.Redirects += other.Redirects
	l.Partial += other.Partial
	l.Unknown += other.Unknown
	l.Failed += other.Failed
	l.Other += other.Other
	l.Bots += other.Bots
	l.Malformed += other.Malformed
}

// A LogBatch is what is counted in one transaction: files, and what is in them.
type LogBatch struct {
	Name      string // of the run and its part
	Files     []LogFile
	Lines     LogLines // of the files; what depends on rows of the catalog is added
	Downloads []DownloadCount
	Requests  []RequestCount
}

// A StatisticsQuery selects counts. A condition that is empty selects all.
type StatisticsQuery struct {
	Owner, Name   string // of the repository; Name needs Owner
	Format        Format
	OS, OSVersion string
	Package       string
	Version       string // of the package, as listed, or without its epoch
	Arch          string
	Since, Until  int64 // days; Until is the last one, 0 for no end
	By            []StatisticsField
	Limit         int // rows; 0 for all
}

// A StatisticsField is what counts may be summed by.
type StatisticsField string

// The fields of counts.
const (
	ByRepository    StatisticsField = "repository"
	ByPackage       StatisticsField = "package"
	ByVersion       StatisticsField = "version"
	ByArch          StatisticsField = "arch"
	ByDistribution  StatisticsField = "distribution"
	ByDay           StatisticsField = "day" // the first of a month, for counts that were summed up
	ByClient        StatisticsField = "client"
	ByClientVersion StatisticsField = "client version"
	ByCountry       StatisticsField = "country"
	ByLegacy        StatisticsField = "legacy"
	ByKind          StatisticsField = "kind" // of requests alone
)

// A StatisticsRow is a sum.
type StatisticsRow struct {
	Values []string // of the fields of the query
	Count  int64
}
