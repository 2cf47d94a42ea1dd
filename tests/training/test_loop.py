"""The training loop: an interrupted run is resumed to the same result, and the numbers are kept."""

import json
from dataclasses import replace

import click
import pytest
import torch
from torch import nn

from training.loop import Trainer, learning_rate_at
from training.loop_options import LoopOptions

pytestmark = pytest.mark.training
STEPS = 7


class Interrupted(Exception):
    pass


def run(options: LoopOptions, stop_at: int | None = None, scores: tuple[float, ...] = (), **more) -> nn.Module:
    """Train a small network with dropout; `stop_at`: stop at that step, as a kill would. `scores`: the dev score after
    each epoch."""
    torch.manual_seed(options.seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 1))
    count = 0

    def batches(epoch, start):
        features[:] = range(epoch + 1)
        for step in range(start, STEPS):
            generator = torch.Generator().manual_seed(epoch * 100 + step)
            yield torch.randn(16, 4, generator=generator)

    def loss_of(x):
        nonlocal count
        if count == stop_at:
            raise Interrupted
        count += 1
        return {"loss": ((model(x)[:, 0] - x.sum(1)) ** 2).mean()}

    def validate(average):
        numbers = {"dev_weight": float(average[0].weight.detach().abs().sum())}
        return numbers | ({"score": scores[len(features) - 1]} if scores else {})

    features = []  # epochs begun
    groups = [{"params": list(model.parameters())}]
    return Trainer(model, groups, batches, STEPS, loss_of, options, validate=validate, best_by="score", **more).fit()


@pytest.fixture
def options(tmp_path):
    return LoopOptions(tmp_path / "run", epochs=3, batch_size=16, learning_rate=0.01, warmup=3, save_minutes=0)


@pytest.mark.parametrize("stop_at", [3, 7, 10, 20])
def test_resume_gives_the_uninterrupted_result(options, tmp_path, stop_at):
    whole = run(replace(options, out=tmp_path / "whole"))
    with pytest.raises(Interrupted):
        run(options, stop_at)
    resumed = run(replace(options, resume=True))
    for a, b in zip(whole.parameters(), resumed.parameters()):
        assert torch.equal(a, b)
    assert (tmp_path / "whole/numbers.jsonl").read_text() == (options.out / "numbers.jsonl").read_text()


def test_resume_of_a_finished_run_changes_nothing(options):
    first = run(options)
    again = run(replace(options, resume=True))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters()))


def test_resume_of_another_run_is_refused(options):
    run(options)
    with pytest.raises(click.UsageError, match="21 steps, this one has 35"):
        run(replace(options, resume=True, epochs=5))


@pytest.mark.parametrize("change", [{"seed": 9}, {"learning_rate": 0.5}, {"ema": 0.0}, {"batch_size": 8}])
def test_a_run_is_resumed_with_its_own_options(options, change):
    run(options)
    (name,) = change
    with pytest.raises(click.UsageError, match=f"is of a run with --{name.replace('_', '-')} .*without --resume"):
        run(replace(options, resume=True, **change))


@pytest.mark.parametrize("size", [0, 500, 5000])
def test_a_damaged_state_is_one_sentence(options, size):
    run(options)
    state = options.out / "state.pt"
    state.write_bytes(state.read_bytes()[:size])
    with pytest.raises(click.UsageError, match="is damaged or of another model .*without --resume"):
        run(replace(options, resume=True))


def full_disk(state, path):
    path.write_bytes(b"the beginning")
    raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0\nmore")


def test_full_disk_is_one_sentence_and_leaves_the_last_checkpoint(options, monkeypatch):
    run(replace(options, until=1))
    before = (options.out / "state.pt").read_bytes()
    monkeypatch.setattr("torch.save", full_disk)
    with pytest.raises(click.ClickException, match="state.pt cannot be written .*; make room and continue with --res"):
        run(replace(options, resume=True))
    assert (options.out / "state.pt").read_bytes() == before and not list(options.out.glob("*.tmp"))


def test_no_whole_batch_is_refused(options):
    model = nn.Linear(1, 1)
    groups = [{"params": list(model.parameters())}]
    with pytest.raises(click.UsageError, match="less training data than one batch of 16; give more data or a smaller"):
        Trainer(model, groups, lambda epoch, start: [], 0, lambda x: {}, options)


def test_folder_that_cannot_be_made_is_refused(options, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(click.ClickException, match="cannot be written .Not a directory.; make room, or give another"):
        run(replace(options, out=tmp_path / "file" / "run"))


def test_a_new_run_forgets_the_one_before(options):
    run(options)
    with pytest.raises(Interrupted):
        run(replace(options, seed=5, save_minutes=10), stop_at=1)
    assert not (options.out / "state.pt").exists()


def test_seed_decides(options, tmp_path):
    one, same = run(options), run(replace(options, out=tmp_path / "b"))
    other = run(replace(options, out=tmp_path / "c", seed=1))
    assert torch.equal(one[0].weight, same[0].weight) and not torch.equal(one[0].weight, other[0].weight)


def test_loss_falls_and_curve_is_plotted(options):
    run(replace(options, epochs=40))
    rows = [json.loads(line) for line in (options.out / "numbers.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < 0.7 * losses[0]
    assert (options.out / "loss.png").read_bytes().startswith(b"\x89PNG")


def epochs_of(options: LoopOptions) -> dict[int, float]:
    rows = [json.loads(line) for line in (options.out / "numbers.jsonl").read_text().splitlines()]
    return {row["epoch"]: row["dev_weight"] for row in rows if "dev_weight" in row}


def test_the_best_epoch_is_kept_and_patience_ends_the_run(options, tmp_path):
    options = replace(options, epochs=6)
    scores = (0.1, 0.5, 0.4, 0.5, 0.3, 0.9)
    best = run(options, scores=scores, patience=2)
    weights = epochs_of(options)
    assert list(weights) == [1, 2, 3, 4]  # epoch 4 is as good as 2, not better
    assert float(best[0].weight.detach().abs().sum()) == weights[2]
    again = run(replace(options, resume=True), scores=scores, patience=2)
    assert list(epochs_of(options)) == [1, 2, 3, 4] and torch.equal(best[0].weight, again[0].weight)
    last = run(replace(options, out=tmp_path / "all"), scores=scores)
    assert float(last[0].weight.detach().abs().sum()) == epochs_of(replace(options, out=tmp_path / "all"))[6]


def test_pieces_of_a_batch_add_up(options, tmp_path):
    """Without dropout, whose random numbers depend on the pieces."""
    torch.manual_seed(0)
    start = nn.Linear(4, 1).state_dict()

    def trained(out, **more):
        model = nn.Linear(4, 1)
        model.load_state_dict(start)

        def batches(epoch, first):
            for step in range(first, STEPS):
                yield torch.randn(16, 4, generator=torch.Generator().manual_seed(epoch * 100 + step))

        def loss_of(x):
            return {"loss": ((model(x)[:, 0] - x.sum(1)) ** 2).sum() / 16}

        groups, own = [{"params": list(model.parameters())}], replace(options, out=tmp_path / out, precision="float32")
        return Trainer(model, groups, batches, STEPS, loss_of, own, **more).fit()

    whole, pieces = trained("whole"), trained("pieces", split_batch=lambda x: list(x.split(6)))
    torch.testing.assert_close(whole.weight, pieces.weight)
    first, other = ((tmp_path / out / "numbers.jsonl").read_text() for out in ("whole", "pieces"))
    assert [json.loads(a)["loss"] for a in first.splitlines()] == pytest.approx(
        [json.loads(b)["loss"] for b in other.splitlines()], abs=2e-5
    )


def test_schedule():
    rates = [learning_rate_at(step, 100, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[-1] < 0.02
