# Gongkai's commands. Those that need servers start private ones on free ports
# and stop them afterwards; what is missing comes from Debian.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
binary  := bin/gongkai
build   := CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)'
swag    := go tool swag init --quiet --generalInfo server.go --dir handlers --output docs --outputTypes json,yaml --requiredByDefault

.PHONY: help
help: ## This list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

.PHONY: run
run: ## Serve the demo on http://127.0.0.1:8080.
	go run ./cmd/gongkai serve --demo

.PHONY: build
build: ## Build the one binary, static, into bin/.
	$(build) -o $(binary) ./cmd/gongkai

.PHONY: test
test: ## Run all tests on real databases, the concurrent ones under the race detector.
	scripts/with-services scripts/test

.PHONY: race
race: ## Run everything under the race detector: half an hour.
	scripts/with-services scripts/test race

.PHONY: cover
cover: ## Say how much the tests cover.
	scripts/with-services env GONGKAI_TEST_ALL=1 go test -timeout 12m -coverpkg=./... -coverprofile=coverage.out ./...
	go tool cover -func=coverage.out | tail -n 1

.PHONY: lint
lint: vuln ## Check style, the image's recipe, size and known vulnerabilities.
	scripts/lint

.PHONY: vuln
vuln: ## Look for known vulnerabilities in the binary; VULNDB names an offline database.
	scripts/vuln $(binary)

.PHONY: bench
bench: ## Measure against rivals (architecture and figures: docs/performance.md).
	scripts/bench
	scripts/with-services go test ./push -run '^$$' -bench . -benchtime 3x -timeout 30m

.PHONY: prove
prove: ## Break what the program stands on and measure (twelve minutes; LONG=1 for all, an hour and a half).
	scripts/prove

.PHONY: fuzz
fuzz: ## Fuzz every parser for FUZZTIME each (30s).
	scripts/fuzz $(or $(FUZZTIME),30s)

.PHONY: assets
assets: ## Bundle the pages' scripts and style sheets anew.
	go generate ./internal/web

.PHONY: openapi
openapi: ## Write docs/swagger.* and docs/openapi.json anew from the annotations.
	$(swag)
	go test ./docs -run TestOpenAPIIsConverted -update

.PHONY: pictures
pictures: build ## Photograph the demo's pages for docs/pictures.
	scripts/pictures $(binary)

.PHONY: clean
clean: ## Remove what was built.
	rm -rf bin coverage.out bench/.cache
