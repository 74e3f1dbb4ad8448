# Each target does its own set-up: Debian packages, .venv, the package. See README.md.
BIN := .venv/bin
ARGS ?=
DATA ?= training/data

.DEFAULT_GOAL := help
.PHONY: help run test test-pi test-ha test-readers test-web test-fresh check format bench robustness evaluate evaluate-face \
	evaluate-voice evaluate-activity evaluate-fusion setup setup-dev lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z].*## / { printf "  make %-30s %s\n", $$1, $$2 }' Makefile

run: setup ## everything, in this terminal; ARGS="--camera 0 --screen window"
	@[ -e .venv/.detector-tried ] || deploy/fetch-detector.sh; touch .venv/.detector-tried
	@$(BIN)/emotion-edge run $(ARGS)

test: setup-dev ## all tests that this machine can run; ARGS="tests/unit"
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

test-pi: setup-dev ## the product on a virtual Raspberry Pi; needs root and Debian 12, takes hours
	$(BIN)/python -m tests.pi $(ARGS)

test-ha: setup-dev ## with a real Home Assistant and Node-RED; needs root, Debian and npm, four minutes the first time
	tests/mqtt/build-root.sh build/ha
	[ -e build/node-red/node_modules ] || npm install --prefix build/node-red --no-audit --no-fund node-red
	$(BIN)/python -m pytest -s tests/mqtt $(ARGS)

test-readers: setup-dev ## the formats of `export` in pandas, R, py-feat, DuckDB, Chromium; apt and pip, minutes the first time
	tests/readers/setup.sh
	build/readers/bin/python -m pytest -c pyproject.toml tests/readers $(ARGS)

test-web: setup-dev ## the pages in Debian's Chromium, and Debian's Prometheus; needs root, Debian and npm
	@deploy/setup.sh web
	$(BIN)/python -m pytest -s tests/web tests/services/test_web*.py $(ARGS)

test-fresh: ## README's two commands on bare Debians; needs root and mmdebstrap, takes two hours
	unshare --mount python3 -m tests.fresh $(ARGS)

check: setup-dev ## style, types, import contracts, systemd units
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@systemd/check.sh

format: setup-dev ## fix style where it can be fixed automatically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-dev ## measure speed and memory; ARGS=docs/reports/benchmarks.json writes the report
	@deploy/fetch-detector.sh
	$(BIN)/python -m benchmarks $(ARGS)

robustness: setup-dev ## throw everything at it, in full size, and write the report; root, 40 minutes
	$(BIN)/python -m benchmarks.robustness $(ARGS)

evaluate: evaluate-face evaluate-voice evaluate-fusion ## measure every figure of the models' cards again

evaluate-face evaluate-voice: evaluate-%: setup-dev ## DATA=FOLDER with fer2013.npz and ravdess_16k
	@deploy/fetch-detector.sh
	$(BIN)/python -m training.evaluate $* --check --data $(DATA) $(ARGS)

evaluate-voice: evaluate-activity

evaluate-activity: setup-dev ## the speech gate; fetches (does not install) Debian packages of sounds
	@training/activity/fetch_sounds.sh
	$(BIN)/python -m training.evaluate activity --check --data $(DATA)

evaluate-fusion: setup-dev ## face and voice together
	$(BIN)/python -m training.fusion.evaluate --check --data $(DATA) $(ARGS)

setup: ## what `make run` needs: Debian packages, .venv, the package
	@deploy/setup.sh

setup-dev: ## the same, and what tests and checks need
	@deploy/setup.sh dev

lock: ## the lock files again from pyproject.toml; ARGS=--upgrade takes newer versions
	@deploy/lock.sh $(ARGS)

clean: ## remove .venv, builds and caches
	rm -rf .venv build *.egg-info models_tflite/build models_tflite/*.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
