#!/usr/bin/env bash
# sightline-small-5: EfficientNet-Lite2 in place of MobileNetV2, on features that are computed once and kept.
#
#   DATA=FOLDER recipes/sightline-small-5.sh
#
# DATA: a folder with the sets flickr8k, everyday, street, scenes, things (README, "Train it yourself") and
# flickr30k_captions.txt.gz. RUNS: where everything is kept, 6 GB. START: the captioner whose text tower, mapping
# network and GPT-2 it goes on from, sightline-small-4. Every stage goes on where it was stopped; run the file again.
# Two CPU cores: about two hours. DEVICE=cuda needs no other change.
set -euo pipefail
: "${DATA:?say where the data is: DATA=FOLDER $0}"
RUNS=${RUNS:-runs} START=${START:-model/default} DEVICE=${DEVICE:-cpu} PY=${PY:-.venv/bin/python}
NAME=sightline-small-5
export OMP_WAIT_POLICY=PASSIVE  # threads that wait for one another do not hold a core that other work could use

sets=()
for set in flickr8k everyday street scenes things; do sets+=(--data "$DATA/$set"); done

# 1. Pictures that show nothing any more, pages, screens, bare surfaces, with texts of their own: 20 seconds.
[ -f "$RUNS/flaws/metadata.jsonl" ] ||
    $PY -m training.flaws --data "$DATA/everyday" --data "$DATA/things" --each 100 --out "$RUNS/flaws"
sets+=(--data "$RUNS/flaws")

# 2. What the untouched tower sees of every photo, as it is (view 0) and cropped in another light (view 1); at stride
#    16 and after its last layer. 40 photos a second on two free cores: 8 minutes and 1.5 GB a view.
$PY -m training.features "${sets[@]}" --out "$RUNS/features" --views 2 --device "$DEVICE"

# 3. Neck, text tower, mapping network, GPT-2 and the tower's pointwise convolutions above stride 16, together.
#    3 seconds a step of 96 photos on two free cores: 40 minutes.
[ -f "$RUNS/tuned/config.json" ] ||
    $PY -m training.joint "${sets[@]}" --features "$RUNS/features" --start "$START" --out "$RUNS/tuned" --tune-upper \
        --epochs 4 --batch-size 96 --captions 2 --learning-rate 8e-4 --warmup 60 --ema 0.99 --keep-weight 2 \
        --text "$DATA/flickr30k_captions.txt.gz" --save-minutes 4 --device "$DEVICE" --resume

# 4. ImageNet's classifier, fitted anew to the tuned features: 3 minutes.
[ -f "$RUNS/refitted/config.json" ] ||
    $PY -m training.refit_classifier "${sets[@]}" --features "$RUNS/features" --start "$RUNS/tuned" \
        --out "$RUNS/refitted" --device "$DEVICE"

# 5. Dev photos say how candidates are ranked; what is chosen stands in the next stage.
$PY -m training.prepare "${sets[@]}" --pair "$RUNS/refitted" --split dev --out "$RUNS/embeddings-dev" --device "$DEVICE"
$PY -m training.tune_decoding "${sets[@]}" --model "$RUNS/refitted" --embeddings "$RUNS/embeddings-dev"

# 6. As it ships: half precision, its name, its way of decoding.
$PY -m training.export --start "$RUNS/refitted" --name "$NAME" --beams 8 --length-penalty 1.1 --no-repeat-ngram 3 \
    --likeness-weight 4 --agreement-weight 5 --out "$RUNS/$NAME"

# 7. Figures of the dev photos; with SPLIT=test, once and at the very end, those of the model card.
score() { $PY -m training.evaluate --split "${SPLIT:-dev}" --model "$RUNS/$NAME" --data "$DATA/$1" --lang "$2" \
    --out "$RUNS/scores/$1-$2-${SPLIT:-dev}" "${@:3}"; }
for lang in en id; do
    score flickr8k $lang --retrieval --out-of-domain "$DATA/street"
    score everyday $lang
    score scenes $lang
    score street $lang --style guide --labels
done
score things en
