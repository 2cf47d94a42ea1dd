"""How often captions are right, fitted on the photos that ship with the project and found again in the checkpoint."""

import json

import numpy as np
import pytest
from PIL import Image

from data.datasets import read_dataset
from model.certainty import Calibration, Estimator, Thresholds
from model.describe import Describer
from model.families import DEFAULT
from tests.training.steps import SAMPLES, call, write_set
from training import calibrate, name_bounds
from training.calibrate import expected_calibration_error
from training.correctness import human_quartile, named_share, right

EXAMPLES = read_dataset(SAMPLES).examples


def test_an_estimator_needs_all_its_signals():
    estimator = Estimator({"likeness": 2.0, "words": -0.1}, 0.5)
    assert estimator.probability({"likeness": 0.5, "words": 10.0, "other": 1.0}) == pytest.approx(
        1 / (1 + np.exp(-0.5))
    )
    assert estimator.probability({"words": 10.0}) is None
    assert 0 <= Estimator({"words": 1e6}, 0.0).probability({"words": 1.0}) <= 1
    calibration = Calibration({("en", "caption"): Thresholds(0.8, 0.5, 0.2)}, {("en", "caption"): estimator})
    assert Calibration.from_config(json.loads(json.dumps(calibration.to_config()))) == calibration
    assert calibration.confidence(0.3, {"words": 10.0}, "en", "caption") == 0.3  # its own, where nothing was fitted
    assert calibration.confidence(None, {}, "id", "caption") is None


def test_calibration_error():
    right_ones = np.array([1, 0, 1, 1])
    assert expected_calibration_error(np.array([0.75, 0.75, 0.75, 0.75]), right_ones) == pytest.approx(0)
    assert expected_calibration_error(np.array([0.95, 0.95, 0.95, 0.95]), right_ones) == pytest.approx(0.2)


def test_what_counts_as_right():
    assert named_share("a brown dog on grass", ["the dog runs", "a cat"]) == 0.5
    dogs = ["a dog runs on grass", "a dog running on grass", "a dog on green grass"]
    people = [dogs, ["two men in a boat", "men sit in a boat", "two people in a small boat"]]
    assert human_quartile(people) > 0
    found = right(EXAMPLES[:2], ["a dog runs on grass", "a red car"], people, "en", "caption")
    assert found.tolist() == [True, False]
    assert right(EXAMPLES[:1], ["a bowl"], [["a cat on a chair"]], "en", "long").tolist() == [False]


def test_a_guide_is_right_if_it_names_the_label_and_its_colour_does_not_count():
    from dataclasses import replace

    photos = [replace(EXAMPLES[0], labels=("red traffic light",)), replace(EXAMPLES[0], labels=("door",))]
    told = ["a green traffic light is ahead", "a wall is ahead"]
    assert right(photos, told, [["x"], ["y"]], "en", "guide").tolist() == [True, False]


def test_names_fit_what_people_say():
    probabilities = np.zeros((len(EXAMPLES), 1000), np.float32)
    probabilities[:, 285] = np.linspace(0.9, 0.1, len(EXAMPLES))  # cats
    names, sums = name_bounds.likeliest(probabilities, kinds=True)
    assert set(names) == {"cat"} and sums[0] == pytest.approx(0.9)
    cat = next(e for e in EXAMPLES if e.id.startswith("chelsea"))
    assert name_bounds.fits("cat", cat) and not name_bounds.fits("espresso", cat)
    assert name_bounds.bound(names, sums, EXAMPLES) == (1.0, 0, 0.0)  # too few photos prove nothing


@pytest.mark.training
def test_the_step_writes_what_the_service_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(calibrate, "LEAST_PHOTOS", 3)
    monkeypatch.setattr(calibrate, "FOLDS", 2)
    monkeypatch.setattr(
        calibrate, "fit", lambda table, is_right: (np.ones(table.shape[1]), 0.5, np.full(len(table), 0.5))
    )
    data = write_set(tmp_path / "set")
    said = call(calibrate, "--data", data, "--model", DEFAULT, "--out", tmp_path / "out")
    assert "en/caption: 3 photos" in said
    calibration = Describer.load(tmp_path / "out").info.calibration
    assert calibration.thresholds["en", "caption"] == Thresholds(1, 1, 0.15)  # three captions hold no bound
    assert set(calibration.estimators["en", "caption"].weights) >= {"likeness", "support", "mean_probability"}
    found = Describer.load(tmp_path / "out").describe(Image.open(SAMPLES / "coffee.jpg"), read=False)
    assert found.caption is None or 0 <= found.caption.confidence <= 1


def test_a_bound_holds_or_is_never_reached(monkeypatch):
    monkeypatch.setattr(calibrate, "LEAST_SURE", 4)
    held_out = np.array([0.95, 0.9, 0.85, 0.82, 0.6, 0.55])
    assert calibrate.holding_bound(held_out, np.array([1, 1, 1, 1, 0, 0]), 0.8) == 0.82
    assert calibrate.holding_bound(held_out, np.array([0, 1, 0, 1, 1, 1]), 0.8) == 1.0
    assert calibrate.holding_bound(held_out, np.array([1, 1, 1, 1, 1, 0]), 0.5) == 0.55


def test_a_fit_foresees_what_it_was_fitted_to():
    rng = np.random.default_rng(0)
    signals = rng.normal(size=(600, 3))
    is_right = rng.random(600) < 1 / (1 + np.exp(-(2 * signals[:, 0] - signals[:, 2])))
    weights, bias, held_out = calibrate.fit(signals, is_right)
    assert weights[0] > 1 and abs(weights[1]) < 0.4 and weights[2] < -0.5 and abs(bias) < 0.4
    assert expected_calibration_error(held_out, is_right) < 0.08
