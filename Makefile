# make run    build, and start the whole product on ./data
# make test   everything that CI checks
# make bench  figures, beside those of the peers that are installed
# make test-flink  ingest and reindex on a Flink cluster that the tests start; fetches it from Maven
# make real   some 380 packages of Debian, pushed, compared with apt-ftparchive and Debian, and a system made from them; as root
# make test-clients  real systems, in roots that it makes of Debian, install by the lines that repomill hint prints and by install scripts, and go on while keys change
# make screenshots  pictures of every kind of page, on a phone and a desktop, in light and dark, in bin/screenshots
# make race   the race detector on all that is concurrent
# make verify-deploy  every check of the files in deploy, also those that take minutes, and a table of what each has shown
# make fuzz   every fuzz target for FUZZTIME each
# make release  what is published of a version, in dist: programs, packages of repomill itself, bills of materials, checksums
# make image   the images repomill and repomill-resolver in dist/images, without an engine: OCI layouts, bills of materials, and oci, which pushes
# make faults  every write and commit of everything fails in every way; make test has one way of each in turn
# make soak   the real program under KILLS random kills, on files and on servers that are killed, too, while packages keep coming
# make scale  figures at size: 10,000 uploads without events, 200 packages and 4 workers that are killed, pushes beside a poisoned repository, Architecture: all
# make year   a year of traffic on a simulated clock, in the size YEAR: what is bounded must not grow; make test has a short one

GO ?= go
FUZZTIME ?= 30s
KILLS ?= 500
# Some ten minutes of two processors. The whole is -year.days 365 -year.repositories 500 -year.uploads 10000, in some days.
YEAR ?= -year.days 360 -year.repositories 60 -year.uploads 15
# -versus.full measures at the sizes of testdata/versus/RESULTS.md, in about an hour; without it, in minutes.
VERSUS ?=
# Programs are built without symbols and paths of this machine, which are a third of them, and say which revision they are
# where there is one to say. The tag leaves out what Cloud Storage has for gRPC with Envoy, 13 MB: its JSON API is used.
STRIPPED = -tags disable_grpc_modules -buildvcs=auto -trimpath -ldflags "-s -w"
# Tools have a module of their own: go.mod lists what the product needs.
TOOLS = -modfile=deploy/tools/go.mod
# Worker binaries are built without cgo; so is what we test, but for the race detector.
export CGO_ENABLED = 0
# What programs are built with, so that what tests and linters compile serves them, too, instead of a second time for each.
export GOFLAGS := $(shell $(GO) env GOFLAGS 2>/dev/null) -trimpath
# Where deploy/install-test-tools unpacks what cannot be installed.
export PATH := $(PATH):$(CURDIR)/bin/tools/usr/bin:$(CURDIR)/bin/tools/usr/sbin:$(CURDIR)/bin/tools/ministack/bin

# ./... leaves testdata out.
PACKAGES = ./... ./testdata/awstest ./testdata/debtest ./testdata/rpmtest ./testdata/gcstest ./testdata/mysqltest ./testdata/pubsubtest ./testdata/s3test \
	./testdata/browsertest ./testdata/intaketest ./testdata/kmstest ./testdata/porttest ./testdata/proctest ./testdata/clients ./testdata/corpus ./testdata/deploytest ./testdata/faults ./testdata/flinktest ./testdata/real ./testdata/soak ./testdata/versus ./testdata/year
# These test programs that they build: Go, which keeps the results of tests, does not see when those change.
BUILDERS = ./deploy ./deploy/dataflow ./deploy/monitoring ./testdata/clients ./testdata/soak
# Where goroutines meet: what the race detector is worth its time for. It compiles all that a package needs once more, every SDK
# for the pipelines: make test has those alone that need none, and make race has all.
RACY_QUICK = ./serve ./pipelines/objects/file
RACY = ./serve/... ./ingest ./publish ./pipelines ./pipelines/queue ./pipelines/worker ./pipelines/objects/file

.PHONY: bin/repomill-beam bin/repomill-client run build test screenshots test-clients test-flink verify-deploy lint race real bench fuzz faults scale soak year release image tools go-version

run: build
	bin/repomill up --data ./data

build: go-version
	GO="$(GO)" deploy/build bin/repomill ./pipelines/repomill $(STRIPPED)
	GO="$(GO)" deploy/build bin/repomill-resolver ./serve/resolver $(STRIPPED)

# Those commands of bin/repomill that push and ask, for CI, in half its size.
bin/repomill-client: go-version
	GO="$(GO)" deploy/build $@ ./pipelines/repomill-client $(STRIPPED) -tags disable_grpc_modules,grpcnotrace,nosqlite

# The command that submits jobs to Flink and Dataflow links their runners: building it takes longer.
bin/repomill-beam: go-version
	GO="$(GO)" deploy/build $@ ./pipelines/repomill-beam $(STRIPPED)

# The version that go.mod asks for, checked before the compiler says it in other words.
go-version:
	@want=$$(sed -n 's/^go \([0-9.]*\).*/\1/p' go.mod); \
	have=$$($(GO) env GOVERSION 2>/dev/null | sed 's/^go//'); \
	if [ -z "$$have" ]; then \
		echo "Go is not installed: get Go $$want or later from https://go.dev/dl and put its bin folder into PATH" >&2; exit 1; fi; \
	if [ "$$(printf '%s\n%s\n' "$$want" "$$have" | sort -V | head -n 1)" != "$$want" ]; then \
		echo "Go $$have is too old: get Go $$want or later from https://go.dev/dl, or run with GOTOOLCHAIN=go$$want" >&2; exit 1; fi

# lint vets all packages, with every check: go test need not.
test: go-version tools lint
	$(GO) test -vet=off -timeout 20m $$($(GO) list $(PACKAGES) | grep -vxF "$$($(GO) list $(BUILDERS))")
	$(GO) test -vet=off -count=1 -timeout 15m $(BUILDERS)
	@$(MAKE) --no-print-directory race RACY="$(RACY_QUICK)"

screenshots: go-version tools
	REPOMILL_SCREENSHOTS=$(CURDIR)/bin/screenshots $(GO) test -count=1 ./publish/pages/html ./pipelines/repomill -run InABrowser

test-flink: go-version
	@deploy/install-test-tools mvn:maven java:default-jre-headless
	REPOMILL_TEST_FLINK=1 $(GO) test -count=1 -timeout 20m ./testdata/flinktest ./pipelines/repomill-beam

test-clients: go-version
	@deploy/install-test-tools debootstrap:debootstrap
	deploy/client-roots bin/roots
	$(GO) test -count=1 -v -timeout 40m ./testdata/clients -run 'TestSystems|TestRotation' -args -clients.roots $(CURDIR)/bin/roots
	$(GO) test -count=1 ./ingest -run TestSigned -args -ingest.roots $(CURDIR)/bin/roots
	REPOMILL_TEST_CLIENTS=1 $(GO) test -count=1 ./pipelines/repomill -run TestKeyringPackageWithZypper

# Each folder of deploy installs the programs that check it below bin/verify.
VERIFY = $(CURDIR)/bin/verify
verify-deploy: go-version tools
	@mkdir -p $(VERIFY) && rm -f $(VERIFY)/table
	@for script in deploy/*/install-tools; do GO="$(GO)" $$script $(VERIFY) || exit 1; done
	@status=0; REPOMILL_VERIFY_DEPLOY=1 REPOMILL_VERIFY_TABLE=$(VERIFY)/table $(GO) test -count=1 -p 1 -timeout 60m ./deploy/... || status=$$?; \
	printf '\n| files | check | tool | result | what it cannot show |\n|---|---|---|---|---|\n'; sort $(VERIFY)/table; exit $$status

lint: go-version
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on: $$unformatted" >&2; exit 1; fi
	$(GO) vet $(PACKAGES)
	$(GO) vet -tags nosqlite ./schemas/catalogdb ./pipelines/client ./pipelines/repomill-client
	$(GO) tool $(TOOLS) staticcheck $(PACKAGES)
	$(GO) mod tidy -diff
	$(GO) -C deploy/tools mod tidy -diff
	@for module in testdata/gcstest/server testdata/s3test/gateway deploy/image/oci deploy/terraform/stubprovider; do \
		echo $(GO) -C $$module mod tidy -diff; $(GO) -C $$module mod tidy -diff && $(GO) -C $$module vet ./... || exit 1; done
	@deploy/govulncheck

race:
	@if command -v gcc >/dev/null; then \
		echo CGO_ENABLED=1 $(GO) test -race -short $(RACY); \
		CGO_ENABLED=1 $(GO) test -race -short -vet=off -timeout 15m $(RACY); \
	else echo "race detector: skipped, it needs gcc"; fi

real: go-version
	@deploy/install-test-tools debootstrap:debootstrap
	REPOMILL_TEST_REAL=1 $(GO) test -count=1 -v -timeout 30m ./testdata/real

# What tests compare with and run against. Without root, the tests that miss something say so and skip.
tools:
	@deploy/install-test-tools

bench: build
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m ./pipelines/repomill
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m ./deploy
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 120m ./testdata/versus $(VERSUS)
	$(GO) test -run '^$$' -bench . ./ingest/deb ./ingest/rpm ./serve ./serve/cloudfront

fuzz: go-version
	GO="$(GO)" deploy/fuzz $(FUZZTIME)

faults: go-version tools
	$(GO) test -count=1 -timeout 60m ./testdata/faults -args -faults.all

soak: go-version
	$(GO) test -count=1 -v -timeout $$((90 + $(KILLS) / 10))m ./testdata/soak -args -soak.kills $(KILLS)

scale: go-version
	$(GO) test -count=1 -v -timeout 90m -parallel 1 ./pipelines -run 'TestI03LostEventsAtScale|TestI06WorkersKilledAtRandom|TestI07PoisonDelaysNoOther' \
		-args -scale.lost 10000 -scale.packages 200 -scale.workers 4 -scale.kills 40 -scale.pushes 200

year: go-version
	$(GO) test -count=1 -v -timeout 0 -run TestYear ./testdata/year -args $(YEAR) -year.history 32 -year.retention 7 -year.month 30 -year.out $(CURDIR)/testdata/year

# Of the commit that is checked out; a tag names the version. See deploy/RELEASING.md.
release: go-version
	GO="$(GO)" deploy/release dist

image: go-version
	GO="$(GO)" deploy/image/build dist/images
