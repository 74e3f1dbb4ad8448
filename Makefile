# Each target does its own set-up: Debian packages, .venv, the package. See README.md.
BIN := .venv/bin
ARGS ?=
DATA ?= training/data

.PHONY: run test test-pi check format bench evaluate evaluate-face evaluate-voice evaluate-activity \
	evaluate-fusion setup setup-dev clean

run: setup ## everything, in this terminal; ARGS="--camera 0 --screen window"
	@[ -e .venv/.detector-tried ] || deploy/fetch-detector.sh; touch .venv/.detector-tried
	@$(BIN)/emotion-edge run $(ARGS)

test: setup-dev ## all tests that this machine can run
	$(BIN)/python -m pytest $(ARGS)

test-pi: setup-dev ## everything again on a virtual Raspberry Pi; needs root and Debian 12, takes hours
	$(BIN)/python -m tests.pi $(ARGS)

check: setup-dev ## style, types, who may import whom, and what the units may do
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@systemd/check.sh

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-dev ## speed and memory, as a table and as JSON
	@deploy/fetch-detector.sh
	$(BIN)/python -m benchmarks $(ARGS)

evaluate: evaluate-face evaluate-voice evaluate-fusion ## every figure of the models' cards, measured again

evaluate-face evaluate-voice: evaluate-%: setup-dev ## DATA=FOLDER with fer2013.npz and ravdess_16k
	@deploy/fetch-detector.sh
	$(BIN)/python -m training.evaluate $* --check --data $(DATA) $(ARGS)

evaluate-voice: evaluate-activity ## the network and the gate before it

evaluate-activity: setup-dev ## speech and music of Debian packages are fetched, not installed
	@training/activity/fetch_sounds.sh
	$(BIN)/python -m training.evaluate activity --check --data $(DATA)

evaluate-fusion: setup-dev
	$(BIN)/python -m training.fusion.evaluate --check --data $(DATA) $(ARGS)

setup:
	@deploy/setup.sh

setup-dev:
	@deploy/setup.sh dev

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
