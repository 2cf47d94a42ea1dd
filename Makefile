# make run: start the service. make check: the quick checks. make test, make test-slow: all others.
# make train DATA=...: train the embedded captioner (recipes/).

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
# Tests share the processors: threads of several processes that wait for each other by spinning slow all down.
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile

.PHONY: run setup check test test-slow browser train evaluate

run: setup
	@exec $(VENV)/bin/sightline serve

setup: $(VENV)/.runtime

# Style, types, and the tests that are quick.
check: $(VENV)/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PYTEST) -m "not (slow or browser or postgres or process or training)" -q

# All tests but the slow ones.
test: $(VENV)/.dev browser
	$(PYTEST) -m "not slow"

# The slow ones.
test-slow: $(VENV)/.dev browser
	$(PYTEST) -m slow

$(PY):
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml constraints.txt requirements.txt | $(PY)
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt $(VENV)/.runtime
	$(PIP) -c constraints.txt -e '.[dev]'
	@touch $@

RUNS ?= runs

train: $(VENV)/.dev
	@test -d "$(DATA)" || { echo "Say where the data is: make train DATA=FOLDER"; exit 1; }
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" DATA="$(DATA)" RUNS="$(RUNS)" recipes/sightline-small-4.sh

# The figures of the model card, from the test splits.
SCORE = $(PY) -m training.evaluate --out $(RUNS)/scores

evaluate: $(VENV)/.dev
	$(SCORE)/flickr8k-en --data $(DATA)/flickr8k --retrieval --out-of-domain $(DATA)/street
	$(SCORE)/flickr8k-id --data $(DATA)/flickr8k --retrieval --out-of-domain $(DATA)/street --lang id
	$(SCORE)/coco-en --data $(DATA)/coco_small --all-photos
	$(SCORE)/street-en --data $(DATA)/street --style guide --labels
	$(SCORE)/street-id --data $(DATA)/street --style guide --labels --lang id

# The browser tests drive a real Chromium; where there is none, apt-get installs it if it may.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
		command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
		echo "No Chromium found, and none could be installed; the browser tests need one."
