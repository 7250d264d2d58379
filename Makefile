# The ways in. Each target sets up what it needs (scripts/setup, the only step that uses the network), then configures,
# builds and tests a CMake preset; any of them may be run again at any time.
#
#   make run       serve the default model on http://127.0.0.1:8000   (ARGS="--log-level debug ...")
#   make test      unit and integration tests
#   make install   a relocatable tree under PREFIX; COMPONENT=runtime leaves out what only other programs read
#   make image     container images in build/image (ARGS=runtime makes one alone, ARGS=index it for x86-64 and arm64)
#   make check     sanitizers with the fuzz corpora, thread sanitizer, clang-tidy and format
#   make slow      the full runs: parity, truth, a minute of each fuzzer, the chart on a real control plane
#   make deploy-test  the chart on a real control plane alone (the first time it builds one: ten minutes)
#   make bench     the micro-benchmarks, then the program against its peers: writes docs/benchmarks.md and docs/speed.md
#   make train     fine-tunes the default model (hours; training/README.md)
#   make format    formats the C++ sources in place
#   make clean     removes what was built; what was fetched or trained stays
PREFIX ?= /usr/local
ARGS ?=

.PHONY: run test install image check slow deploy-test bench train venv-torch format clean
.DEFAULT_GOAL := run

run:
	@scripts/setup run
	@scripts/build release
	@exec build/release/bin/kubesentiment serve $(ARGS)

test:
	@scripts/setup test
	@scripts/lane dev

install:
	@scripts/setup run
	@scripts/build release
	@cmake --install build/release --prefix "$(PREFIX)" $(if $(COMPONENT),--component $(COMPONENT))

image:
	@scripts/setup image
	@scripts/image $(ARGS)

check:
	@scripts/setup check
	@scripts/lane asan
	@scripts/lane tsan
	@scripts/lane tidy

slow:
	@scripts/setup check
	@scripts/setup deploy
	@scripts/slow

deploy-test:
	@scripts/deploy-test

bench:
	@scripts/setup test
	@scripts/bench $(ARGS)

train:
	@scripts/train

venv-torch:
	@scripts/setup-torch

format:
	@scripts/format

clean:
	@find build -mindepth 1 -maxdepth 1 ! -name deps ! -name venv ! -name venv-torch ! -name venv-training ! -name training ! -name js ! -name bench -exec rm -rf {} + 2>/dev/null || true
