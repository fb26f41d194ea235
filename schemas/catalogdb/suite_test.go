package catalogdb_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// run is what every database has to pass. open returns an empty catalog, migrated, that ends with the test.
func run(t *testing.T, open func(*testing.T) *catalogdb.DB) {
	for _, tt := range []struct {
		fact string
		test func(*testing.T, *catalogdb.DB)
	}{
		{"migrating again changes nothing", migrateAgain},

		{"a DEB distribution is one release", declareDEB},
		{"an RPM distribution has a release for each directory", declareRPM},
		{"a declaration adds and never takes away", declareNeverShrinks},
		{"every pair that was drawn is known", revisionsKnown},

		{"a claim finds itself again", claimAgain},
		{"a claimed identity keeps others out like an active one", claimTaken},
		{"identities compare as bytes", claimBytes},
		{"components share bytes and never have different ones", componentsShare},
		{"of different bytes for two components one wins", componentsRace},
		{"what is withdrawn from one component is in the others", componentsYank},
		{"rows with one sort key are all listed, in the order of their components", componentsOrder},
		{"what was published keeps other bytes out of all components", componentsRecover},
		{"a claim knows whether somebody works on it", atWork},
		{"a package for 32-bit x86 is in the directories of both", multilibShows},
		{"a package of both x86 directories is recovered from either", multilibRecovers},
		{"claims together are as one after the other", claimTogether},
		{"a claim needs a declared distribution", claimUndeclared},
		{"a fragment that is too large is a rejection", claimTooLarge},

		{"other bytes take the place of those before them in one revision", replaceInOne},
		{"uploads of one version take effect in the order in which they reached staging", replaceInOrder},
		{"of uploads of one version that race the last one is active", replaceConcurrently},
		{"other bytes are refused beside another component, and with --if-absent", replaceRefused},
		{"bytes whose file was removed come back", replaceAfterRemoval},
		{"bytes that are stored again and refused are removed", replaceRefusedAgain},
		{"bytes that were to be stored again, and were not, do not come back", replaceUnstoredAgain},
		{"old uploads replace nothing after the loss of the catalog", replaceRecovered},
		{"a train takes the place of what is published", replaceByTrain},
		{"a train with two files of one version is refused", replaceByTrainTwice},
		{"a repository is mutable from its creation on", mutableForGood},

		{"a snapshot is asked for once, and taken by one worker", snapshotsAsked},
		{"a snapshot that fails is tried again, or given up", snapshotsFail},
		{"a snapshot ends at its time", snapshotsEnd},
		{"a snapshot holds what it has", snapshotsHold},
		{"a snapshot of the bucket holds all that it may have", snapshotsImported},
		{"a rollback goes back to a snapshot", snapshotsRollBack},
		{"snapshots are signed again by other keys", snapshotsSigned},
		{"a rule takes one snapshot a period, and keeps the newest", snapshotsByRule},

		{"what is signed by other keys is to be signed again", signed},
		{"a key is there that a worker had", heldKeys},
		{"the latest copy of the list of keys is kept", rememberedKeys},

		{"a trust is found by its issuer until it is removed", trusts},
		{"an ID token is used once", idTokenUses},
		{"a token of a job opens what its trusts open while they are there", jobTokens},
		{"a token of a job is in the audit log of what it opens", jobTokenRecorded},
		{"of concurrent uses of an ID token one counts", idTokenUsesConcurrently},

		{"a call of Activate draws one revision for each release", activateOnce},
		{"a duplicate of a visible package is final at once", activateVisible},
		{"a duplicate waits until its package is visible", activateWaiting},
		{"an upload whose lease is lost is left out", activateLost},
		{"a noarch package waits for all directories", activateNoarch},
		{"a directory that was added since undoes the whole call", activateGrown},
		{"a package that is not claimed cannot be active", activateUnclaimed},

		{"an upload is published when all its releases are", publishAll},
		{"a published revision never falls", publishNeverFalls},
		{"publishing an unknown release is an error", publishUnknown},

		{"a lease keeps others out until it ends", takeHeld},
		{"several uploads are taken and asked for at once", takeTogether},
		{"an owner renews what it still holds", renew},
		{"a returned lease is free and counts no attempt", giveBack},
		{"what was taken up and left is found", unfinished},
		{"all leases can be reclaimed", reclaim},
		{"the attempt after the fifth is poison", poison},
		{"an attempt that is given up counts", giveUp},
		{"generations and names are uploads of their own", takeOther},
		{"a final state stays", final},
		{"a verdict says what became of an upload", verdict},
		{"recent uploads are those below a prefix", recent},
		{"finished uploads are told once", told},

		{"a batch of logs is counted once", logsOnce},
		{"a log that another run has counted undoes its batch", logsConflict},
		{"only whole downloads of known packages are counted", logsWhole},
		{"old URLs of distributions that do not exist have one row", logsForeign},
		{"counts are selected and summed up by every field", logsSums},
		{"counts of old months are summed up, and old marks removed", logsPruned},

		{"a snapshot does not see later writers", snapshotStays},
		{"rows come in the order of their sort keys", snapshotOrder},
		{"fragments come back as they were", snapshotFragments},
		{"a release shows what belongs to it", snapshotShows},
		{"what a release shows is listed in pages", lists},
		{"the time is the database's", clock},
		{"a snapshot needs a release", snapshotUnknown},

		{"entries of two directories come as one row", entriesMerge},
		{"entries of one index of a DEB release", entriesOfShelf},
		{"a large text is kept as it will be published", entriesLarge},
		{"only the fragments asked for are read", entriesFragments},
		{"what changed since a revision is told", changesSince},
		{"too many changes are not told", changesTooMany},
		{"a revision is redrawn once", generationRaised},
		{"an advisory lock keeps other publishers out until it ends", lockRelease},

		{"a row holds four fragments of the largest size", claimLargest},

		{"a reindex is asked for, taken and ended", reindexEnds},
		{"requests for the same reindex are one", reindexJoined},
		{"an interrupted reindex is continued by any process", reindexContinued},
		{"a reindex that kills its processes fails", reindexPoison},
		{"a cancelled reindex stays so", reindexCancelled},
		{"what an earlier version rendered is rendered again", reindexOfRendered},
		{"what a later version asked for is left to it", reindexByLaterVersion},
		{"a reindex is reserved for the process that asks", reindexReserved},

		{"an architecture without packages can go", retireDEB},
		{"a directory that went and comes again is whole", retireRPM},
		{"an architecture goes, or gets a package", retireRace},
		{"settings say how payloads are verified", verifyPayload},
		{"settings have a line for people", descriptions},
		{"of a repository the newest uploads are known, and what waits", recentUploads},
		{"a promotion is an upload of its target", recentPromotion},
		{"of a repository the newest changes are known", recentChanges},
		{"settings say which packages need a signature", requireSigned},
		{"settings say whether there is a keyring package", keyringPackage},
		{"rows are found by name", packagesOfName},
		{"packages are listed in pages", listing},
		{"a package is found by its file", packageByFile},

		{"contents of a package are read by one process at a time", contentsTaken},
		{"contents ask for the page of their version alone", contentsAskForPage},
		{"contents that cannot be read are given up", contentsFail},
		{"contents of a large package are wanted under a higher limit", contentsSkipped},
		{"contents go when no distribution has the file", contentsGo},
		{"contents that are gone are forgotten", contentsForgotten},
		{"contents are on pages, which are asked for when they were read", contentsOnPages},

		{"a repository is created once", createRepository},
		{"what cannot be a repository is not created", createRefuses},
		{"a change of settings draws a revision", changeSettings},
		{"what a change may not touch stays", changeRefuses},
		{"settings are unpublished until the bucket has them", publishSettings},
		{"a catalog without settings takes over the bucket's", importAll},
		{"a catalog with old settings keeps the union", importUnion},
		{"what was made private stays private", importKeepsPrivate},
		{"settings that cannot be are not adopted", importRefuses},

		{"a token of the API is found by its digest", apiTokenFound},
		{"a live token's name is taken", apiTokenTaken},
		{"a token is not made for what cannot be", apiTokenRefused},
		{"the use of a token is written once an hour", apiTokenUsed},
		{"tokens of CI jobs are forgotten after their end", apiTokenShort},
		{"a revoked token ends what it made", apiTokenRevoked},
		{"a revoked token makes no token", apiTokenOrphans},
		{"of a revocation and what the token makes at that time nothing is left", apiTokenRace},
		{"what users change is in the audit log", auditChanges},
		{"what changes nothing is not in the audit log", auditNothing},
		{"an entry of the audit log is as durable as the change", auditUndone},
		{"the log has uploads and entries in the order of time", auditOrder},
		{"the log names who pushed each upload", auditPushers},
		{"the log names who pushed a withdrawn package again", auditPushedAgain},
		{"the log of an owner has what is of it and of all", auditTargets},
		{"a change of keys is recorded with its actor", auditKeys},

		{"what clients see of a mutable repository outlives the loss of the catalog", replaceAfterLoss},
		{"what was replaced in a deleted component stays so", replaceInDeleted},

		{"old history is forgotten, and what clients saw since is known", historyForgotten},
		{"history that something needs stays", historyNeeded},
		{"trains are forgotten with their uploads", historyOfTrains},
		{"old changes are forgotten, and those of keys stay", historyOfChanges},

		{"a wish to copy a package is an upload", promoteAsked},
		{"the same wish is one upload until it ends", promoteAgain},
		{"a promotion ends as an upload does", promoteEnds},
		{"a promotion has nothing in staging to be removed", promoteRemoved},
		{"what is not published is not promoted", promoteGone},
		{"of concurrent wishes for one copy one counts", promoteConcurrently},
		{"a package is moved once clients see its copy", moveFinishes},
		{"what has no copy stays where it is", moveKeeps},
		{"a copy becomes a move", moveOfACopy},
		{"a move whose copy was withdrawn is asked for once more", moveAfterWithdrawal},
		{"what goes to two places is withdrawn once it is in both", moveToTwo},
		{"workers that finish moves at once do it once", moveConcurrently},
		{"a deleted repository is empty, and comes back", deleteAndBack},
		{"a deleted repository goes step by step", deleteForGood},
		{"a deletion waits for trains, and ends rules", deleteAmong},
		{"a deleted component or distribution is empty, and comes back", deletePartAndBack},
		{"a deleted distribution goes step by step", deleteDistributionForGood},
		{"a deleted component goes step by step", deleteComponentForGood},
		{"what leaves a deleted distribution does not come back", deletedPartHolds},
		{"what is deleted of a repository is imported", deletedPartsImported},
		{"the settings of a deleted repository stay", deletedSettings},
		{"what was moved moves back", movesBack},
		{"a promotion that is rejected leaves a withdrawal", reclaimRejected},
		{"the log of promotions names the other repository apart", promotionsElsewhere},
		{"what is done to a deleted repository does not change what comes back", deleteHolds},
		{"a move into a private repository does not name it", movesElsewhere},
		{"a repository that was never used goes at once", deleteUnused},
		{"pushes that meet a deletion end in it", deleteRace},

		{"a train holds packages, and gives them to all releases at once", trainPublishes},
		{"a train with something missing does not go", trainRefused},
		{"the same bytes for a train and beside it come in one batch", trainAndBeside},
		{"a train that changed since it was checked is checked again", trainMoved},
		{"a train goes at its time by the database's clock", trainAt},
		{"what is dropped from a train frees its identity", trainDrops},
		{"a train that was dropped is opened again", trainDroppedWhole},
		{"what a train holds is reserved", trainReserves},
		{"what a train holds is reserved in all components", trainReservesComponents},
		{"a train watches what was published before", trainWatchesDuplicates},
		{"of workers at one train one commits", trainConcurrently},

		{"a yank takes a package out and keeps its record", yankOne},
		{"what is unyanked is back as it was", unyank},
		{"a yank changes the releases that show the package", yankArchitectures},
		{"what is not published cannot be yanked", yankUnknown},
		{"what is yanked on its way is rejected", yankOnItsWay},
		{"all changes of withdrawn packages since a revision are known", withdrawnChanges},
		{"withdrawn packages are read in ranges", withdrawnRanges},
		{"files of yanked packages go when no index has them", removal},
		{"patterns select packages of a target", selects},
		{"one yank of a repository is one revision of each release", yankSelected},
		{"what is yanked at once does not come back by itself", yankBans},
		{"what cannot come back keeps all others where they are", unyankSelectedRefuses},
		{"what is to be copied is found and asked for at once", promoteSelected},
		{"yanks of a repository and pushes wait for each other", selectedConcurrently},

		{"the binaries of a source have one phase", phases},
		{"a pass makes one step of each phase that is due", phaseSteps},
		{"what is recorded of packages goes with the last of their files", goesWithFiles},
		{"pages follow phases that clients see", phasePages},
		{"phases are recovered from what was published", phasesRecover},
		{"phases that are refused change nothing", phasesRefused},
		{"a rollback gives what was published then, and can be undone", rollsBack},
		{"a rollback of RPM packages is of all architectures", rollsBackRPM},
		{"a rollback that cannot be changes nothing", rollbackRefuses},
		{"of rollbacks at once one changes something", rollsBackConcurrently},

		{"what no rule keeps leaves with one revision", retains},
		{"what is needed by exact version stays", retainsNeeded},
		{"rules are of all or of one distribution", retainsAll},
		{"what was downloaded stays", retainsDownloaded},
		{"packages with keys stay", retainsKeyring},
		{"many packages leave in parts", retainsInParts},
		{"versions that not all hosts upgrade to push none out", retainsPhased},
		{"ages count from when clients saw a package", retainsSeen},
		{"what leaves goes to the archive first", retainsArchived},
		{"what the archive cannot take stays", archiveRefuses},
		{"what was moved from the archive goes there once more", archiveComesBack},
		{"a plan for a mutable repository says what its archive has", archiveOfMutable},
		{"a copy that is rejected is asked for again by hand alone", archiveRejects},
		{"rules that changed withdraw nothing that is on its way", archiveOfOldRules},
		{"the archive exists, and is no more open", archiveChecked},
		{"automatic rules are due once a day, to one process", retentionDue},

		{"an empty catalog recovers what was published", recoverFromNothing},
		{"an old catalog recovers what it missed and keeps what it has", recoverFromBackup},
		{"a recovered release is beyond both revisions", recoverBeyondBoth},
		{"a recovered noarch package is news to other directories", recoverNoarch},
		{"what is newer here than in a recovered release stays", recoverPending},
		{"what is published counts though that was not recorded", rebuildUnrecorded},
		{"a rebuilt release has the rows that were published", rebuild},
		{"rows that cannot be recovered change nothing", recoverRefuses},

		{"a package is placed in each release", placements},
		{"an RPM package is placed in its directories", placementsRPM},
		{"a pattern finds packages, and their names without them", locates},
		{"what clients saw is known of each revision and time", packagesAtPoints},
		{"what another catalog published is known of now alone", packagesAtRecovered},
		{"a package appears in each of its releases", appearances},
		{"workers are seen until they end", workers},
		{"a recovered package is visible", placementsRecovered},

		{"staged objects expire when all is said", expired},
		{"what was staged of a package goes with its file", doomed},
		{"the oldest upload is the one that waits longest", oldest},

		{"what a release has published asks for its pages", pagesOfPublished},
		{"pages are asked for in parts, and none is lost between them", pagesInParts},
		{"a release without a cursor asks for the pages of its names", pagesOfNames},
		{"a package of several directories is on its page with each", pagesOfRPM},
		{"rows that were imported ask for their pages", pagesOfImported},
		{"a package that counts as unseen goes from its page", pagesOfUnseen},
		{"a package whose file is deleted goes from its page", pagesOfDeleted},
		{"a package that was never published goes from its page", pagesOfEvicted},
		{"pages that change while they are made are made again", pagesAgain},
		{"pages that cannot be made wait longer each time", pagesFail},
		{"pages that cannot be made are tried again if something else changes", pagesFailAgain},
		{"a process that is late with pages asks for them once more", pagesLate},
		{"pages that are given back are taken again", pagesReturned},
		{"pages of changes are made first", pagesInOrder},
		{"settings, keys and revisions make a front page due", frontDue},
		{"a front page that cannot be made waits", frontFails},
		{"snapshots are on pages with what changed between them", snapshotsOnPages},
		{"snapshots that come and go ask for their pages", snapshotsAskForPages},
		{"snapshots of a catalog that was lost are on pages", snapshotsOnPagesAfterALoss},
		{"all pages are asked for in parts", pagesWhole},
		{"all pages are asked for again from the beginning", pagesWholeAgain},
		{"a front page has what came and went last", pageChanges},
		{"the list of repositories has public ones only", publicRepositories},
		{"pages have what clients see, and what was withdrawn", pagesShow},
		{"pages have a package with each directory that shows it", pagesShowRPM},
		{"versions on pages are in the order of their first uploads", pageVersions},
		{"pages have the fragments that they ask for", pageFragments},
		{"the list of names on pages counts with it", pageNames},
		{"parts of the list of names on pages are found by their borders", pageBorders},

		{"concurrent writers lose nothing", writeConcurrently},
		{"processes that make pages make each once", pagesConcurrently},
		{"concurrent changes of the list of names on pages are counted once", pageNamesConcurrently},
		{"of processes that take contents one has them", contentsConcurrently},
		{"of concurrent activations of a package one is news", activateConcurrently},
		{"a yank wins against concurrent uploads", yankConcurrently},
		{"of concurrent recoveries one counts", recoverConcurrently},
		{"concurrent changes of settings are all made", changeConcurrently},
		{"of concurrent creators one made the repository", createConcurrently},
		{"of concurrent claims one wins", claimConcurrently},
		{"of concurrent takers one has the lease", takeConcurrently},
		{"a publisher with a snapshot can ask and write", publishConcurrently},
		{"concurrent declarations make one repository", declareConcurrently},
		{"of processes that take a reindex one has it", reindexConcurrently},
	} {
		t.Run(tt.fact, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func TestSQLite(t *testing.T) {
	run(t, func(t *testing.T) *catalogdb.DB { return openSQLite(t, filepath.Join(t.TempDir(), "catalog.db")) })
}

func TestMySQL(t *testing.T) {
	e := onMySQL(mysqltest.Start(t))
	run(t, func(t *testing.T) *catalogdb.DB { return e.cleared(t) })
}

func TestMain(m *testing.M) { os.Exit(mysqltest.Main(m)) }

func openSQLite(t *testing.T, path string) *catalogdb.DB {
	t.Helper()
	return open(t, "sqlite://"+path)
}

// open opens a catalog that ends with the test.
func open(t *testing.T, url string) *catalogdb.DB {
	t.Helper()
	db, err := catalogdb.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func migrateAgain(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	before := releases(t, db)
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, releases(t, db)); diff != "" {
		t.Errorf("releases (-before +after):\n%s", diff)
	}
}

func TestSQLiteTakesAnyPath(t *testing.T) {
	for _, name := range []string{"with blank", "100%", "a?b=c", "a#b", "ä", "a&b", "a:b", "a+b", "%41"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name, "catalog.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			declare(t, openSQLite(t, path), jammy)
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
			db := openSQLite(t, path) // as after a restart
			if got := releases(t, db); len(got) != 1 {
				t.Errorf("got %v after opening it again, want one release", got)
			}
		})
	}
}

func TestSQLiteTakesRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	openSQLite(t, "catalog.db")
	if _, err := os.Stat("catalog.db"); err != nil {
		t.Error(err)
	}
}

// Two processes have a pool each; the database queues their writers.
func TestSQLiteForTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	writeFromTwo(t, openSQLite(t, path), openSQLite(t, path))
}

func writeFromTwo(t *testing.T, dbs ...*catalogdb.DB) {
	declare(t, dbs[0], jammy)
	const each = 20
	var wg sync.WaitGroup
	errs := make([]error, len(dbs))
	for i, db := range dbs {
		wg.Go(func() {
			for n := range each {
				errs[i] = errors.Join(errs[i], push(t, db, deb(jammy, fmt.Sprintf("p%d-%d", i, n), "1")))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	checkPushed(t, dbs[0], jammy, len(dbs)*each)
}
