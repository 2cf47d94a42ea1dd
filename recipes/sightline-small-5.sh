#!/usr/bin/env bash
# The recipe of sightline-small-5: EfficientNet-Lite2 in place of MobileNetV2, trained on features that are computed
# once and kept, with its certainty fitted. About three hours on two cores.
#
#   recipes/sightline-small-5.sh [DATA [RUNS]]
#
# DATA: folder with flickr8k/, everyday/, street/, scenes/, things/ and flickr30k_captions.txt.gz (docs/training.md).
# RUNS: folder for the result of every stage, by default `runs`; it takes 7 GB. DEVICE: cpu or cuda.
# START: checkpoint whose text tower, mapping network and GPT-2 it continues, by default the result of
# recipes/sightline-small-4.sh. Run it again to continue: a stage whose result is there is skipped.
set -euo pipefail

DATA=$(realpath -m "${1:-${DATA:?"say where the data is: recipes/sightline-small-5.sh DATA"}}")
RUNS=$(realpath -m "${2:-${RUNS:-runs}}")
START=$(realpath -m "${START:-$RUNS/sightline-small-4}")
PYTHON=${PYTHON:-python}
DEVICE=${DEVICE:-cpu}
cd "$(dirname "$0")/.."

PHOTOS=(--data "$DATA/flickr8k" --data "$DATA/everyday" --data "$DATA/street" --data "$DATA/scenes"
    --data "$DATA/things")
SETS=("${PHOTOS[@]}" --data "$RUNS/flaws")
TEXT="$DATA/flickr30k_captions.txt.gz"

# stage RESULT MODULE OPTION...: run the module unless RESULT is there.
stage() {
    local result=$1 module=$2
    shift 2
    if [ -e "$result" ]; then
        echo "$result is there."
        return
    fi
    echo "== python -m $module --out $(dirname "$result")"
    "$PYTHON" -m "$module" "$@" --out "$(dirname "$result")"
}
flaws() { stage "$RUNS/$1/metadata.jsonl" training.flaws "${@:2}"; }
features() { stage "$RUNS/$1/views.json" training.features --device "$DEVICE" "${@:2}"; }
joint() { stage "$RUNS/$1/config.json" training.joint --device "$DEVICE" --resume "${@:2}"; }
calibrate() { stage "$RUNS/$1/config.json" training.calibrate "${@:2}"; }
refit() { stage "$RUNS/$1/config.json" training.refit_classifier --device "$DEVICE" "${@:2}"; }
export_as() { stage "$RUNS/$1/config.json" training.export "${@:2}"; }

# Pictures that show nothing any more, pages, screens, surfaces, and photos spoilt a little, with texts of their own: a
# minute.
flaws flaws --data "$DATA/everyday" --data "$DATA/things" --data "$DATA/scenes" --each 100

# What the untouched tower sees of every photo, as it is (view 0) and cropped in another light (view 1), at stride 16
# and after its last layer. 40 photos a second on two free cores: 9 minutes and 3 GB a view. It resumes by itself.
features features "${SETS[@]}" --views 2

# Neck, text tower, mapping network, GPT-2 and the tower's pointwise convolutions above stride 16, together.
# 3 seconds a step of 96 photos on two free cores: 40 minutes.
joint tuned "${SETS[@]}" --features "$RUNS/features" --start "$START" --tune-upper --epochs 4 --batch-size 96 \
    --captions 2 --learning-rate 8e-4 --warmup 60 --ema 0.99 --keep-weight 2 --text "$TEXT" --save-minutes 4

# Four more epochs without the flawed pictures, whose few texts are learnt too well otherwise, and one of what was shown
# least, with them; the mean of both is better than either (arXiv 2203.05482).
joint tuned-2 "${PHOTOS[@]}" --features "$RUNS/features" --start "$RUNS/tuned" --tune-upper --epochs 4 --batch-size 96 \
    --captions 3 --learning-rate 6e-4 --warmup 30 --ema 0.99 --keep-weight 3 --text "$TEXT" --save-minutes 4 --seed 1
joint tuned-3 --data "$DATA/flickr8k" --data "$DATA/scenes" --data "$DATA/things" --data "$RUNS/flaws" \
    --features "$RUNS/features" --start "$RUNS/tuned-2" --tune-upper --epochs 1 --batch-size 96 --captions 3 \
    --learning-rate 3e-4 --warmup 15 --ema 0.97 --keep-weight 3 --save-minutes 4 --seed 2
export_as mean --start "$RUNS/tuned-2" --start "$RUNS/tuned-3" --name sightline-small-5

# ImageNet's classifier, fitted anew to the tuned features: 3 minutes.
refit refitted --data "$DATA/everyday" --data "$DATA/scenes" --data "$DATA/things" --features "$RUNS/features" \
    --start "$RUNS/mean"

# In half precision, with the decoding and the bounds that dev photos chose (training.tune_decoding, training.evaluate
# --retrieval --out-of-domain, training.photo_pairs); then its certainty and the names of things, on dev photos too.
export_as exported --start "$RUNS/refitted" --name sightline-small-5 --beams 8 --length-penalty 1 \
    --no-repeat-ngram 3 --likeness-weight 4 --agreement-weight 0
calibrate sightline-small-5 "${PHOTOS[@]}" --model "$RUNS/exported" --photos 300

echo "The captioner is $RUNS/sightline-small-5; docs/training.md says how it is measured."
