package catalog

// A Reason is the stable name of a cause of rejections. Metrics count by it.
type Reason string

// The reasons of a rejection. Scripts branch on them; they never change their meaning.
const (
	BadPath             Reason = "bad-path"             // the staging key has the wrong shape
	ReservedName        Reason = "reserved-name"        // an owner or os that the server needs for itself
	UnknownDistribution Reason = "unknown-distribution" // not in the distribution table
	UnknownRepository   Reason = "unknown-repository"   // not declared
	UnknownComponent    Reason = "unknown-component"    // not declared
	UnknownArchitecture Reason = "unknown-architecture" // not declared
	WrongFormat         Reason = "wrong-format"         // an .rpm for a DEB distribution, or the reverse
	Empty               Reason = "empty"                // zero bytes
	Truncated           Reason = "truncated"            // ends before its own sizes say
	NotAPackage         Reason = "not-a-package"        // wrong magic
	Malformed           Reason = "malformed"            // a structure that tools would read differently, or not at all
	MissingField        Reason = "missing-field"        // a field that an index cannot do without
	BadField            Reason = "bad-field"            // a field whose value is not allowed
	BadDigest           Reason = "bad-digest"           // a digest inside the package, or what was declared of it, does not match
	Unsupported         Reason = "unsupported"          // valid, but of a kind that clients here cannot use
	DecompressionBomb   Reason = "decompression-bomb"   // expands far beyond what a package needs
	TooLarge            Reason = "too-large"            // over a limit on size or count
	Unsigned            Reason = "unsigned"             // the repository takes signed packages only
	UnknownSigner       Reason = "unknown-signer"       // signed by a key that the repository does not have
	BadSignature        Reason = "bad-signature"        // a signature by a key of the repository that is wrong, or that clients refuse
	ExpiredSigner       Reason = "expired-signer"       // signed by a key of the repository that has expired or is revoked
	Conflict            Reason = "conflict"             // this identity has other bytes already
	YankedIdentity      Reason = "yanked"               // this identity was withdrawn
	ReservedIdentity    Reason = "reserved"             // this identity waits for a release train
	TrainPublished      Reason = "train-published"      // the release train that it was pushed for is published already
	TrainEmbargo        Reason = "train-embargo"        // its release train is under embargo and the push was not, or the reverse
	DroppedFromTrain    Reason = "dropped"              // it was dropped from its release train
	Replaced            Reason = "replaced"             // the staged object was replaced or removed before it was read, or a later upload of its version was published before it
	Late                Reason = "late"                 // it was complete after its session had ended
	ParserPanic         Reason = "parser-panic"         // the parser panicked: a bug of repomill, which a retry would meet again
	Poison              Reason = "poison"               // handling it failed too often
)

// A Rejection is the error for an upload that cannot become a package. It is final: a retry with the same bytes and
// the same name gives the same rejection. Other errors of ingest are faults, and are retried.
type Rejection struct {
	Reason Reason `json:"reason"`
	Detail string `json:"detail"` // for people: what is wrong and what to do; printable, never parsed
}

func (r *Rejection) Error() string { return string(r.Reason) + ": " + r.Detail }
