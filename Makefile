# Tailgate. `make help` lists the targets; `make run` and `make test` need nothing set up by hand but Go and make.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

# One set of tags for build, vet, lint and test, so that they share one build cache. They leave out the cloud service
# discovery of the Prometheus receiver (200 CPU-seconds, 23 MB) and gRPC's tracing package.
TAGS     := grpcnotrace,remove_all_sd,enable_kubernetes_sd,enable_dns_sd
VERSION  := $(shell sed -n 's/^  version: //p' builder-config.yaml)
export GOFLAGS := -trimpath -buildvcs=false -tags=$(TAGS)
# Static binaries, also where a C compiler is installed. Only the race detector needs cgo.
export CGO_ENABLED := 0
# The linter's cache remembers file paths: shared between two checkouts it reports findings in files that are not there.
export GOLANGCI_LINT_CACHE := $(CURDIR)/.cache/golangci-lint

DIST  := dist
TOOLS := .cache/tools
VIEWER := dashboards/viewer
GO_FILES = $(wildcard $(shell git ls-files --cached --others --exclude-standard -- '*.go' go.mod go.sum))
VIEWER_FILES = $(wildcard $(shell git ls-files --cached --others --exclude-standard -- $(VIEWER) ':!$(VIEWER)/dist' ':!*.go' ':!*.md'))

# Stock programs to compare with, pinned in tools/prometheus/go.mod.
STOCK := $(TOOLS)/prometheus $(TOOLS)/promtool

# How long `make run` runs (60s, 5m); empty: until Ctrl-C.
DURATION ?=
# Further flags of the run, for example RUN_FLAGS='--rate 200'.
RUN_FLAGS ?=

# Flags of benchmarks, for example BENCH_FLAGS=-quick.
BENCH_FLAGS ?=
# How long each fuzz target runs.
FUZZTIME ?= 10m
FUZZ_TARGETS := internal/otlpwire:FuzzParse internal/probability:FuzzRewrite \
	processors/tailsamplingprocessor/differential:FuzzDifferential \
	extensions/prometheusstoreextension/internal/ruling:FuzzLoad internal/exposition:FuzzLabels

say = @printf '\033[1m==> %s\033[0m\n' $(1)

##@ Use

.PHONY: run
run: build ## Build and start everything: collector, gateway, demo shop with traffic, dashboards on http://localhost:9090/ (DURATION=60s to end by itself)
	@exec $(DIST)/stack $(if $(DURATION),--duration $(DURATION)) $(RUN_FLAGS)

.PHONY: build
build: $(DIST)/tailgate $(DIST)/gateway $(DIST)/demo $(DIST)/stack $(DIST)/dashctl ## Build all programs into dist/

##@ Check

.PHONY: test
test: build generate-check lint viewer-test unit e2e ## Generated files, lint, unit tests under the race detector, end-to-end test: what CI runs before test-peers

# Not cmd/tailgate: it is generated and has no tests, but `go test` would compile all 2100 packages of it once more. What
# looks at the memory of a whole process is tested without the race detector, whose memory is not the product's.
WEIGHING := -e /faults$$ -e /benchmark/internal/probe$$
.PHONY: unit
unit: need-go need-cc need-chromium need-alertmanager $(VIEWER)/dist/app.js ## Unit tests of all packages, under the race detector
	$(call say,'unit tests with the race detector')
	@CGO_ENABLED=1 go test -race -timeout 20m $$(go list ./... | grep -v -e /test/ -e /cmd/tailgate$$ $(WEIGHING))
	$(call say,'tests that kill processes and weigh them')
	@go test -p 1 -timeout 20m $$(go list ./... | grep $(WEIGHING))

.PHONY: e2e
e2e: build need-chromium $(TOOLS)/telemetrygen ## End-to-end test: the built programs, real traffic, real APIs, headless Chromium
	$(call say,'end-to-end test')
	@TELEMETRYGEN=$(abspath $(TOOLS)/telemetrygen) go test -count=1 -timeout 15m ./test/e2e/...

.PHONY: test-peers
test-peers: build $(STOCK) ## The embedded Prometheus beside a stock server and promtool: same data, same answers, and the faults (its first build takes ten minutes)
	$(call say,'beside a stock Prometheus')
	@PROMETHEUS=$(abspath $(TOOLS)/prometheus) PROMTOOL=$(abspath $(TOOLS)/promtool) go test -count=1 -timeout 15m ./test/peers/... ./test/benchstore/...

.PHONY: lint
lint: need-go $(TOOLS)/golangci-lint ## gofmt, go vet and the linters of .golangci.yaml
	$(call say,'lint')
	@$(TOOLS)/golangci-lint run --timeout 15m ./...

.PHONY: generate-check
generate-check: generate ## Fail when a committed generated file is stale
	@git diff --exit-code --stat -- $(GENERATED) || { \
		echo "generated files were stale; they are up to date now: commit them" >&2; exit 1; }
	@test -z "$$(git ls-files --others --exclude-standard -- $(GENERATED))" || { \
		echo "generated files are not committed:" >&2; git ls-files --others --exclude-standard -- $(GENERATED) >&2; exit 1; }

.PHONY: viewer-test
viewer-test: $(VIEWER)/node_modules ## Type check and unit tests of the viewer's page
	$(call say,'viewer: type check and unit tests')
	@cd $(VIEWER) && npm run --silent check && npm test --silent

##@ Measure

.PHONY: bench-tailsampling
bench-tailsampling: need-go ## Our tail_sampling beside contrib's: CPU, memory, pauses, OTLP/HTTP; writes docs/benchmarks.md (20 min; BENCH_FLAGS=-quick for a look, -full for 500k traces)
	$(call say,'benchmark of tail_sampling')
	@mkdir -p $(DIST)
	@go build -o $(DIST)/bench-tailsampling ./processors/tailsamplingprocessor/benchmark
	@$(DIST)/bench-tailsampling $(BENCH_FLAGS)

.PHONY: bench-store
bench-store: need-go $(STOCK) ## Ways into a Prometheus: CPU per sample, both processes; writes docs/benchmarks.md (40 min; BENCH_FLAGS=-quick for a look, -full for 200k series and the weight of the store)
	$(call say,'benchmark of the ways into a Prometheus')
	@mkdir -p $(DIST)
	@go build -o $(DIST)/bench-store ./test/benchstore
	@PROMETHEUS=$(abspath $(TOOLS)/prometheus) $(DIST)/bench-store $(BENCH_FLAGS)

.PHONY: fuzz
fuzz: need-go ## Fuzz parsers, span log and decisions beside contrib's, each for FUZZTIME (default 10m)
	@for target in $(FUZZ_TARGETS); do \
		dir=$${target%:*} name=$${target#*:}; \
		printf '\033[1m==> fuzz %s %s\033[0m\n' "$$dir" "$$name"; \
		go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x ./$$dir; \
	done

##@ Develop

.PHONY: generate
generate: need-go $(TOOLS)/builder $(TOOLS)/mdatagen ## Regenerate main of the collector, component metadata, docs/telemetry.md and dashboards
	$(call say,'generate')
	@mkdir -p .cache
	@env 'dist.output_path=./cmd/tailgate' $(TOOLS)/builder --skip-get-modules --skip-compilation --config builder-config.yaml >.cache/builder.log 2>&1 \
		|| { cat .cache/builder.log >&2; exit 1; }
	@for dir in $(MDATAGEN_DIRS); do (cd $$dir && $(abspath $(TOOLS))/mdatagen metadata.yaml); done
	@go run ./telemetry/cmd/telemetrydoc docs/telemetry.md
	@go run ./dashboards/cmd/dashctl gen

.PHONY: stock-build
stock-build: need-go $(TOOLS)/builder $(VIEWER)/dist/app.js ## Build the collector in _build/ with the builder's stock flow, as one does who adds components to builder-config.yaml
	@GOFLAGS=-buildvcs=false $(TOOLS)/builder --config builder-config.yaml
	@_build/tailgate validate --config config/quickstart.yaml

.PHONY: full-build
full-build: need-go $(TOOLS)/builder $(VIEWER)/dist/app.js ## Build the collector in _build/ with the large components too, those after "full:" in builder-config.yaml
	@mkdir -p .cache && sed 's/^  # full: /  /' builder-config.yaml >.cache/builder-config-full.yaml
	@GOFLAGS=-buildvcs=false $(TOOLS)/builder --config .cache/builder-config-full.yaml
	@_build/tailgate validate --config config/quickstart.yaml

.PHONY: viewer
viewer: $(VIEWER)/dist/app.js ## Build the viewer's page

.PHONY: fmt
fmt: need-go ## Format all Go files
	@gofmt -w $$(git ls-files '*.go')

.PHONY: clean
clean: ## Remove what was built, and the data of runs
	@rm -rf $(DIST) _build data .cache $(VIEWER)/node_modules $(VIEWER)/.test
	@git clean -fdxq $(VIEWER)/dist

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- programs ----

$(DIST)/tailgate: $(GO_FILES) $(VIEWER)/dist/app.js | need-go
	$(call say,'collector (the first build compiles 2100 packages: several minutes)')
	@go build -ldflags '-s -w' -o $@ ./cmd/tailgate

$(DIST)/gateway: PKG := ./gateway/cmd/gateway
$(DIST)/demo:    PKG := ./demo/cmd/demo
$(DIST)/stack:   PKG := ./demo/cmd/stack
$(DIST)/dashctl: PKG := ./dashboards/cmd/dashctl
$(DIST)/gateway $(DIST)/demo $(DIST)/stack $(DIST)/dashctl: $(GO_FILES) | need-go
	$(call say,'$(notdir $@)')
	@go build -ldflags '-s -w -X main.version=$(VERSION)' -o $@ $(PKG)

# ---- viewer ----

$(VIEWER)/node_modules: $(VIEWER)/package-lock.json | need-node
	$(call say,'viewer: install packages')
	@cd $(VIEWER) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(VIEWER)/dist/app.js: $(VIEWER)/node_modules $(VIEWER_FILES)
	$(call say,'viewer')
	@cd $(VIEWER) && npm run --silent build
	@touch $@

# ---- tools, pinned in tools/go.mod ----

TOOL_PKG_golangci-lint := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
TOOL_PKG_builder       := go.opentelemetry.io/collector/cmd/builder
TOOL_PKG_mdatagen      := go.opentelemetry.io/collector/cmd/mdatagen
TOOL_PKG_telemetrygen  := github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen

$(TOOLS)/%: tools/go.mod tools/go.sum | need-go
	$(call say,'tool $*')
	@cd tools && GOFLAGS='-trimpath -buildvcs=false' go build -ldflags '-s -w' -o ../$@ $(TOOL_PKG_$*)

# A module of their own: a stock build has other versions than the linters.
$(STOCK): tools/prometheus/go.mod tools/prometheus/go.sum | need-go
	$(call say,'stock $(notdir $@) (the first build compiles all of Prometheus: ten minutes on two cores)')
	@cd tools/prometheus && GOFLAGS='-trimpath -buildvcs=false' go build -ldflags '-s -w' -o ../../$@ github.com/prometheus/prometheus/cmd/$(notdir $@)

# ---- generated files ----

MDATAGEN_DIRS := extensions/prometheusstoreextension exporters/prometheusstoreexporter exporters/prometheusexporter \
	receivers/prometheusstorereceiver processors/tailsamplingprocessor
GENERATED := cmd/tailgate docs/telemetry.md dashboards/dist $(MDATAGEN_DIRS)

# ---- what must be on the machine; Debian packages are installed only when missing ----

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
define install
	@echo "==> installing $(1) (Debian)"; $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null
endef

.PHONY: need-go need-node need-cc need-chromium need-alertmanager
need-go:
	@command -v go >/dev/null || { echo "Go 1.26 or newer is needed and not on the PATH" >&2; exit 1; }

need-node:
ifeq ($(shell command -v npm),)
	$(call install,nodejs npm)
endif

need-cc:
ifeq ($(shell command -v gcc),)
	$(call install,gcc libc6-dev)
endif

need-chromium:
ifeq ($(shell command -v chromium),)
	$(call install,chromium)
endif

need-alertmanager:
ifeq ($(shell command -v prometheus-alertmanager),)
	$(call install,prometheus-alertmanager)
	@! [ -d /run/systemd/system ] || $(SUDO) systemctl disable --quiet --now prometheus-alertmanager # tests run their own
endif
