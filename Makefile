# `make help` lists what there is. A bare Debian machine needs Go 1.26, make and root for the first `make test`, nothing else.

SHELL := /bin/bash
export PATH := $(PATH):/usr/local/go/bin

# ARGS is handed on: make demo ARGS=--once, make bench ARGS='-run ^$$ -bench Pick'.
ARGS ?=

.PHONY: help demo check test choosing balancing bench promises soak setup

help: ## this list
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/; s/^test-%/test-AREA/' | expand -t 12

demo: ## services, calls and failures on this machine, live; ARGS=--once for twenty seconds of it
	@go run ./cmd/muster demo $(ARGS)

check: ## the inner loop: build, gofmt, vet, staticcheck, unit tests with the race detector, cross-builds, known vulnerabilities
	@scripts/test unit cross static vuln

test: setup ## everything, against real peers; installs what they need first (INSTALL=0: never)
	@scripts/test

test-%: setup ## one area: unit, cross, static, interop, faults, deploy, demo, docs, vuln
	@scripts/test $*

bench: ## benchmarks, each beside a peer or a floor measured in the same run
	@cd bench && go test -run '^$$' -bench . -benchmem -timeout 1h $(ARGS)

choosing: ## each policy while one of ten real servers is bad, as a table; MUSTER_SOAK=1 for longer looks
	@go test -count=1 -timeout 30m -v ./test/choosing

balancing: ## every picker and its peers in every scenario, simulated; writes docs/balancing.md; ARGS='-seeds 3' for less
	@cd bench/balancing && go test -run '^TestBalancing$$' -count=1 -timeout 2h -write $(ARGS)

promises: ## writes the lists of what is promised to users anew; docs/compatibility.md says when
	@MUSTER_PROMISES=write go test -count=1 -run 'TestGoAPI|TestPromised' ./test/promises ./cmd/muster ./internal/api ./internal/server

release: ## six archives with checksums, licences and bills of materials into dist/, built twice and compared; VERSION=v1.2.3, VULN=skip
	@scripts/release $(ARGS)

soak: setup ## the long forms of the real-time tests: hours
	@MUSTER_SOAK=1 scripts/test unit faults interop

setup: ## what make test installs, and nothing else
	@scripts/setup
