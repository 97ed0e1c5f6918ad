# make test        all tests, on PostgreSQL, MariaDB and MySQL too where they are installed or may be
# make test-short  only the root module: no server, no driver, seconds
# make test-versions  the SQL suites on newer PostgreSQL and MariaDB, unpacked from other Debian releases
# make lint        gofumpt, vet, staticcheck
# make tidy        go.mod and go.sum are what `go mod tidy` would write
# make fuzz        every fuzz target for FUZZTIME
# make bench       every benchmark; what the guard costs goes to internal/conformance/BENCH.md
# make soak        the property test for SOAK on each driver, with new random cases
# make generate    write the files that are generated from tables in the code
# make results     run the statement corpus and write its table

SHELL := bash -euo pipefail
FUZZTIME ?= 10s
BENCH ?= .
SOAK ?= 10m
# Folders with a go.mod that are tested; internal/tools only holds programs.
MODULES := $(sort $(shell find . -name go.mod -not -path './internal/tools/*' -printf '%h\n'))
RACE ?= -race
# .ci/servers may unpack a MySQL while make runs, so that the shell looks for it.
WITHSERVERS = DBGUARD_MYSQL_BINARY="$${DBGUARD_MYSQL_BINARY:-$$(ls $(CURDIR)/bin/servers/mysql/usr/sbin/mysqld 2>/dev/null)}" bin/withservers

.PHONY: test test-versions test-short lint tidy fuzz bench soak generate results servers

# The corpus is one statement after the other, and takes as long as all others.
CORPUS = go test -C internal/conformance -count=1 -timeout 60m ./corpus

test: test-short servers bin/withservers
	$(WITHSERVERS) bash -uc '$(CORPUS) & corpus=$$!; \
		for m in $(filter-out .,$(MODULES)); do go test -C $$m $(RACE) -count=1 -p 1 -timeout 60m $$(go list -C $$m ./... | grep -v /conformance/corpus$$) || failed=1; done; \
		wait $$corpus || failed=1; exit $${failed:-0}'
	@echo; sed -n '/^## /,$$p' internal/conformance/RESULTS.md

test-versions: servers bin/withservers
	.ci/versions

test-short:
	go test $(RACE) ./...

servers:
	.ci/servers

# Always run: only the go command knows whether it is out of date.
.PHONY: bin/withservers
bin/withservers:
	go build -o $@ ./internal/conformance/cmd/withservers

bin/staticcheck bin/gofumpt &: internal/tools/go.mod internal/tools/go.sum
	GOWORK=off GOBIN=$(CURDIR)/bin go -C internal/tools install tool

# Each module outside of the workspace, as its users get it. ST1003 rejects names
# that follow SQL keywords.
lint: bin/staticcheck bin/gofumpt
	@unformatted=$$(bin/gofumpt -extra -l .); if [ -n "$$unformatted" ]; then echo "gofumpt -extra -w $$unformatted"; exit 1; fi
	for m in $(MODULES); do (cd $$m && export GOWORK=off && go vet ./... && $(CURDIR)/bin/staticcheck -checks all,-ST1003 ./...); done

tidy:
	.ci/tidy $(MODULES) internal/tools

fuzz:
	FUZZTIME=$(FUZZTIME) .ci/fuzz $(MODULES)

# Direct and guarded take turns in one loop: set the number of turns, not a time.
bench: servers bin/withservers
	for m in $(filter-out ./internal/conformance,$(MODULES)); do go test -C $$m -run "^$$" -bench "$(BENCH)" -benchmem ./...; done
	$(WITHSERVERS) bash -euo pipefail -c 'run() { go test -C internal/conformance -run "^$$" -timeout 60m -benchmem "$$@" ./bench; }; \
		run -bench OneRow -benchtime 300x; run -bench "Tx10k|Bulk" -benchtime 5x; run -bench Read' 2>&1 | tee bin/bench.txt
	$(WITHSERVERS) -durable go test -C internal/conformance -run "^$$" -timeout 60m -bench Runaway -benchtime 3x ./bench 2>&1 | tee -a bin/bench.txt
	go run -C internal/conformance ./cmd/benchtable <bin/bench.txt >bin/BENCH.md
	mv bin/BENCH.md internal/conformance/BENCH.md

soak: servers bin/withservers
	DBGUARD_SOAK=$(SOAK) $(WITHSERVERS) go test -C internal/conformance -count=1 -timeout 0 -p 1 -v -run 'TestSoak|TestLearnedTextsLikeBare' ./property ./adverse

generate:
	for m in $(MODULES); do go generate -C $$m ./...; done

results: servers bin/withservers
	$(WITHSERVERS) go test -count=1 -timeout 60m ./internal/conformance/corpus -update
