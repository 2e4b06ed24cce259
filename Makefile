# Everything a contributor runs. `make` or `make help` lists the targets.

GO ?= go
PKGS ?= ./...
BIN ?= bin

# Tools are built from the module proxy at a pinned version; nothing is installed.
GOLANGCI_LINT := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOTESTSUM := $(GO) run gotest.tools/gotestsum@v1.13.0
# templ's generator and its runtime must be one version: go.mod names it.
TEMPL = $(GO) run github.com/a-h/templ/cmd/templ@$(shell $(GO) list -m -f '{{.Version}}' github.com/a-h/templ)

# The race detector watches everything but SQLite's own code, which is C turned into Go, does its own locking, and becomes slow.
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false
TESTFLAGS ?= -timeout 30m
FUZZTIME ?= 5s
BENCHTIME ?= 1s

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Start a sample shop with live orders and the console
	$(GO) run ./cmd/orderly demo

.PHONY: build
build: ## Build one static binary into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/orderly ./cmd/orderly

.PHONY: setup
setup: ## Find or install what the tests need: a C compiler, PostgreSQL, Chromium
	@scripts/setup-test.sh

.PHONY: test
test: setup ## Run every test with the race detector, on SQLite and PostgreSQL, in a browser
	@CGO_ENABLED=0 $(GO) test -count=1 -run '^TestProofsAgainstOrders$$' ./internal/proof # on 100,000 orders
	@CGO_ENABLED=1 $(GOTESTSUM) --format pkgname-and-test-fails --format-hide-empty-pkg -- $(RACE) $(TESTFLAGS) $(PKGS)

.PHONY: test-short
test-short: ## Run the quick tests only: no race detector, nothing to install
	@$(GO) test -short -timeout 5m $(PKGS)

.PHONY: check
check: format vet lint static generate-check ## Check format, vet, lint, static build and generated files

.PHONY: format
format: ## Fail when a file is not formatted (make fmt mends it)
	@scripts/format.sh check

.PHONY: fmt
fmt: ## Format every Go file
	@scripts/format.sh write

.PHONY: vet
vet: ## Run go vet
	@$(GO) vet $(PKGS)

.PHONY: lint
lint: ## Run golangci-lint as set up in .golangci.yml
	@$(GOLANGCI_LINT) run $(PKGS)

.PHONY: static
static: ## Build without cgo, as the program is shipped
	@CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/orderly

.PHONY: generate
generate: ## Write the Go files of the console's templates
	@$(TEMPL) generate -log-level warn

.PHONY: generate-check
generate-check: ## Fail when a generated file is not what its source gives
	@scripts/generate-check.sh

.PHONY: bench
bench: ## Run the Go benchmarks and the order benchmark
	@$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) $(PKGS)
	$(GO) run ./cmd/orderly bench orders

SEEDS ?= 20
.PHONY: crash
crash: ## Kill servers under load 50 times (ORDERLY_CRASHES), then let everything around them fail for SEEDS schedules (default 20), and check every law; upgrade under load
	@ORDERLY_CRASHES=$${ORDERLY_CRASHES:-50} ORDERLY_FAULT_SEEDS=$(SEEDS) $(GO) test -count=1 -timeout 240m -run 'TestKillNine|TestFaults|TestFailover|TestRollingUpgrade' -v ./internal/sim ./cmd/orderly

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (default 5s)
	@scripts/fuzz.sh $(FUZZTIME)

.PHONY: vuln
vuln: ## Look for known weaknesses in what the program is built from, where the list of them can be reached
	@GO="$(GO)" scripts/vuln.sh

.PHONY: clean
clean: ## Remove what the build made
	rm -rf $(BIN) tmp
