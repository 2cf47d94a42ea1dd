# make run: start the service. make test: check everything. make setup: only install. make train DATA=...: train the
# embedded captioner from a folder of data sets (README, "Train it yourself").

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check

.PHONY: run setup test browser train evaluate

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

# The whole recipe of the embedded captioner (hours on two cores). DATA: a folder as the README describes it.
RUNS ?= runs
STEP = $(PY) -m training
SETS = $(foreach set,flickr8k everyday street,--data $(DATA)/$(set))

train: $(VENV)/.tests
	@test -d "$(DATA)" || { echo "Say where the data is: make train DATA=FOLDER"; exit 1; }
	$(STEP).language $(SETS) --text $(DATA)/flickr30k_captions.txt.gz --text-lines 45000 --out $(RUNS)/language \
		--vocabulary 7000 --width 320 --heads 5 --epochs 1 --batch-size 96 --learning-rate 1.5e-3 --warmup 80 --ema 0.98
	$(STEP).contrastive $(SETS) --language $(RUNS)/language --backbone $(DATA)/mobilenet_v2.tflite --out $(RUNS)/contrastive \
		--size 160 --frozen-layers 11 --word-weight 0.5 --epochs 7 --until 4 --warmup 60 --ema 0.99
	$(STEP).contrastive $(SETS) --language $(RUNS)/language --start $(RUNS)/contrastive --out $(RUNS)/joint \
		--size 192 --word-weight 0.3 --caption-weight 1 --epochs 1 --learning-rate 6e-4 --warmup 20 --ema 0.98
	$(STEP).prepare $(SETS) --pair $(RUNS)/joint --out $(RUNS)/embeddings-joint
	$(STEP).train $(SETS) --pair $(RUNS)/joint --embeddings $(RUNS)/embeddings-joint --out $(RUNS)/first \
		--epochs 2 --captions 5 --learning-rate 8e-4 --warmup 40 --ema 0.995
	$(STEP).contrastive $(SETS) --language $(RUNS)/language --start $(RUNS)/first --out $(RUNS)/pair \
		--size 160 --frozen-layers 11 --captions 1 --caption-weight 0.5 --word-weight 0.2 --epochs 5 \
		--learning-rate 7e-4 --warmup 40 --ema 0.99
	$(STEP).prepare $(SETS) --pair $(RUNS)/pair --out $(RUNS)/embeddings
	$(STEP).train $(SETS) --pair $(RUNS)/pair --embeddings $(RUNS)/embeddings --out $(RUNS)/captioner \
		--epochs 5 --batch-size 32 --learning-rate 7e-4 --warmup 60 --ema 0.997
	$(STEP).contrastive $(SETS) --language $(RUNS)/language --start $(RUNS)/captioner --out $(RUNS)/pair-2 \
		--size 160 --frozen-layers 11 --captions 2 --caption-weight 2 --epochs 7 --learning-rate 8e-4 --warmup 60 \
		--ema 0.99 --text $(DATA)/flickr30k_captions.txt.gz --word-dropout 0.1 --crop 0.45
	$(STEP).prepare $(SETS) --pair $(RUNS)/pair-2 --views 2 --out $(RUNS)/embeddings-2
	$(STEP).train $(SETS) --pair $(RUNS)/pair-2 --embeddings $(RUNS)/embeddings-2 --out $(RUNS)/captioner-2 \
		--epochs 2 --batch-size 32 --learning-rate 5e-4 --warmup 60 --ema 0.997
	$(STEP).contrastive $(SETS) --language $(RUNS)/language --start $(RUNS)/captioner-2 --out $(RUNS)/pair-3 \
		--size 160 --frozen-layers 11 --captions 2 --caption-weight 2 --epochs 6 --learning-rate 8e-4 --warmup 40 \
		--ema 0.99 --text $(DATA)/flickr30k_captions.txt.gz --word-dropout 0.1 --crop 0.4
	$(STEP).prepare $(SETS) --pair $(RUNS)/pair-3 --views 2 --out $(RUNS)/embeddings-3
	$(STEP).train $(SETS) --pair $(RUNS)/pair-3 --embeddings $(RUNS)/embeddings-3 --out $(RUNS)/captioner-3 \
		--epochs 1 --batch-size 32 --learning-rate 5e-4 --warmup 40 --ema 0.995
	$(STEP).release --start $(RUNS)/captioner-2 --start $(RUNS)/captioner-3 --name sightline-small-3 --out $(RUNS)/mean
	$(STEP).contrastive $(SETS) --start $(RUNS)/mean --out $(RUNS)/pair-4 --size 192 --captions 2 --caption-weight 2 \
		--epochs 4 --learning-rate 7e-4 --warmup 30 --ema 0.99 --text $(DATA)/flickr30k_captions.txt.gz \
		--word-dropout 0.1 --crop 0.35 --seed 5
	$(STEP).prepare $(SETS) --pair $(RUNS)/pair-4 --views 2 --out $(RUNS)/embeddings-4
	$(STEP).train $(SETS) --pair $(RUNS)/pair-4 --embeddings $(RUNS)/embeddings-4 --out $(RUNS)/captioner-4 \
		--epochs 1 --batch-size 32 --learning-rate 5e-4 --warmup 40 --ema 0.995 --seed 5
	$(STEP).train --data $(DATA)/flickr8k --pair $(RUNS)/captioner-4 --embeddings $(RUNS)/embeddings-4 \
		--out $(RUNS)/captioner-5 --epochs 1 --batch-size 32 --learning-rate 3e-4 --warmup 20 --ema 0.99 --seed 6
	$(STEP).release --start $(RUNS)/mean --start $(RUNS)/captioner-5 --name sightline-small-4 --beams 8 \
		--length-penalty 1.1 --no-repeat-ngram 3 --likeness-weight 4 --agreement-weight 5 --least-cosine 0.45 \
		--out model/default

# The figures of the model card, from the test sides.
SCORE = $(STEP).evaluate --out $(RUNS)/scores

evaluate: $(VENV)/.tests
	$(SCORE)/flickr8k-en --data $(DATA)/flickr8k --retrieval --strange $(DATA)/street
	$(SCORE)/flickr8k-id --data $(DATA)/flickr8k --retrieval --strange $(DATA)/street --lang id
	$(SCORE)/coco-en --data $(DATA)/coco_small --all-photos
	$(SCORE)/street-en --data $(DATA)/street --style guide --labels
	$(SCORE)/street-id --data $(DATA)/street --style guide --labels --lang id

# The browser tests drive a real Chromium; where there is none, apt-get installs it if it may.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
		command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
		echo "No Chromium found, and none could be installed; the browser tests need one."
