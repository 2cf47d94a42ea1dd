# make run: start the service. make test: check everything. make setup: only install. make train DATA=...: train the
# embedded captioner from a folder of data sets (README, "Train it yourself").

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check

.PHONY: run setup test browser train

run: setup
	@exec $(PY) -m deploy.main serve

setup: $(VENV)/.runtime

test: $(VENV)/.tests browser
	$(PY) -m pytest

$(PY):
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(PY)
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.tests: tests/requirements.txt training/requirements.txt $(VENV)/.runtime
	$(PIP) -r tests/requirements.txt
	@touch $@

# The browser tests drive a real Chromium; where there is none and apt-get may be used, it is installed.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
		command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
		echo "No Chromium found; the browser tests will be skipped. Install Chromium to run them."
