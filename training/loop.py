"""The loop that all training steps share: schedule, mixed precision, averaged weights, several processes, resume,
numbers, loss curve."""

import json
import pickle
import random
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click
import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

STATE, NUMBERS, CURVE = "state.pt", "numbers.jsonl", "loss.png"
SAME = ("batch_size", "learning_rate", "warmup", "weight_decay", "ema", "clip", "seed")  # when a run is resumed


@dataclass(frozen=True)
class LoopOptions:
    """How to train.

    `learning_rate` is the peak of a linear warm-up and a cosine decay over `epochs`; `until` ends the run after so many
    of them (0: after all). `ema`: decay of the averaged weights, 0 for none. `clip`: greatest gradient norm.
    `precision`: "auto", "float32" or "bfloat16". `save_minutes`: between checkpoints.
    """

    out: Path
    epochs: int
    batch_size: int
    learning_rate: float
    until: int = 0
    warmup: int = 200
    weight_decay: float = 0.05
    ema: float = 0.999
    clip: float = 1.0
    seed: int = 0
    device: str = "cpu"
    precision: str = "auto"
    resume: bool = False
    save_minutes: float = 10.0

    @cached_property
    def accelerator(self) -> Accelerator:
        """The processes that train together: one, unless `accelerate launch` started more."""
        return Accelerator(cpu=self.device == "cpu")


def loop_options(epochs: int, batch_size: int, learning_rate: float) -> Callable:
    """Decorator: the command-line options of `LoopOptions`, with this step's defaults, as one argument `loop`."""

    def decorate(command: Callable) -> Callable:
        def with_loop(**given):
            names = LoopOptions.__dataclass_fields__
            return command(loop=LoopOptions(**{n: given.pop(n) for n in names if n in given}), **given)

        with_loop.__doc__, with_loop.__name__ = command.__doc__, command.__name__
        with_loop.__click_params__ = getattr(command, "__click_params__", [])
        for option in (
            click.option("--resume", is_flag=True, help="Go on from the last checkpoint in OUT, to the same result."),
            click.option("--save-minutes", type=float, default=10.0, show_default=True, help="Between checkpoints."),
            click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto"),
            click.option("--device", default="cpu", show_default=True, help="cpu or cuda."),
            click.option("--seed", type=int, default=0, show_default=True),
            click.option(
                "--ema", type=float, default=0.999, show_default=True, help="Decay of averaged weights, 0: off."
            ),
            click.option("--weight-decay", type=float, default=0.05, show_default=True),
            click.option("--warmup", type=int, default=200, show_default=True, help="Steps of linear warm-up."),
            click.option("--learning-rate", type=float, default=learning_rate, show_default=True),
            click.option("--batch-size", type=int, default=batch_size, show_default=True),
            click.option("--until", type=int, default=0, help="End after so many of the epochs."),
            click.option("--epochs", type=int, default=epochs, show_default=True),
            click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the result."),
        ):
            with_loop = option(with_loop)
        return with_loop

    return decorate


def seed_everything(seed: int) -> None:
    torch.set_flush_denormal(True)  # before any thread starts; gradients near zero are slow otherwise
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def autocast(device: str, precision: str) -> torch.autocast:
    """Mixed precision where the machine has it: bfloat16 on CUDA or on a CPU with bfloat16 units, else float32."""
    native = device.startswith("cuda") or torch.cpu._is_avx512_bf16_supported()
    enabled = precision == "bfloat16" or (precision == "auto" and native)
    return torch.autocast(device.split(":")[0], dtype=torch.bfloat16, enabled=enabled)


def learning_rate_at(step: int, total: int, warmup: int) -> float:
    """Factor of the peak rate: linear warm-up, then cosine to a hundredth (arXiv 1608.03983)."""
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return 0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * min(1.0, progress))))


class Average(AveragedModel):
    """Exponential moving average of a model's weights; its decay warms up so that short runs forget their start."""

    def __init__(self, model: nn.Module, decay: float):
        super().__init__(model, avg_fn=lambda avg, new, n: avg.lerp_(new, 1 - min(decay, (1 + n) / (10 + n))))


class _Loss(nn.Module):
    """`loss_of` as the forward pass of a module that holds the model, so that DistributedDataParallel can wrap it."""

    def __init__(self, model: nn.Module, loss_of: Callable[[object], dict[str, Tensor]]):
        super().__init__()
        self.model, self._loss_of = model, loss_of

    def forward(self, part: object) -> dict[str, Tensor]:
        return self._loss_of(part)


def fit(
    model: nn.Module,
    groups: list[dict],
    batches: Callable[[int, int], Iterable],
    steps_per_epoch: int,
    loss_of: Callable[[object], dict[str, Tensor]],
    options: LoopOptions,
    *,
    validate: Callable[[nn.Module], dict[str, float]] | None = None,
    best_by: str | None = None,
    patience: int = 0,
    parts_of: Callable[[object], list] | None = None,
) -> nn.Module:
    """Train `model` and return the averaged one.

    `groups`: AdamW parameter groups; a group's "scale" multiplies the learning rate. `batches(epoch, start)`: that
    epoch's batches from number `start` on, the same at every call. `loss_of(batch)`: a dict with "loss" and what else
    is to be logged. `validate(averaged model)`: numbers of the dev set, after each epoch. `best_by`: the one of them
    whose highest epoch is returned instead of the last; after `patience` epochs without a higher one (0: never) the
    run ends. `parts_of(batch)`: what of a batch this process computes, one part after the other; the losses of all
    parts in all processes add up to the batch's times the number of processes, since gradients are averaged over
    them. Without it there can be only one process.
    """
    accelerator = options.accelerator
    if accelerator.num_processes > 1 and parts_of is None:
        raise click.UsageError("this step trains in one process; start it without accelerate launch")
    options.out.mkdir(parents=True, exist_ok=True)
    model.to(options.device)
    loss_module = accelerator.prepare_model(_Loss(model, loss_of))
    average = Average(model, options.ema) if options.ema else None
    final = average.module if average is not None else model
    scales = [group.pop("scale", 1.0) for group in groups]
    optimizer = torch.optim.AdamW(groups, lr=options.learning_rate, weight_decay=options.weight_decay, fused=True)
    total = options.epochs * steps_per_epoch
    epoch = step = 0
    best: dict | None = None
    state_file, numbers_file = options.out / STATE, options.out / NUMBERS
    if options.resume and state_file.exists():
        anew = "give the options of that run, or begin anew without --resume"
        try:
            state = torch.load(state_file, map_location=options.device, weights_only=True)
            if state["total"] != total:
                raise click.UsageError(f"{state_file} is of a run of {state['total']} steps, this one has {total}")
            for name in SAME:
                if state["options"][name] != getattr(options, name):
                    was, option = state["options"][name], name.replace("_", "-")
                    raise click.UsageError(f"{state_file} is of a run with --{option} {was}; {anew}")
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            if average is not None:
                average.load_state_dict(state["average"])
        except (RuntimeError, ValueError, KeyError, EOFError, OSError, pickle.UnpicklingError) as error:
            reason = (str(error) or "it ends too early").splitlines()[0].rstrip(":")
            raise click.UsageError(f"{state_file} is damaged or of another model ({reason}); {anew}") from None
        torch.set_rng_state(state["rng"].cpu())
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda_rng"]])
        epoch, step, best = state["epoch"], state["step"], state["best"]
        if accelerator.is_main_process:
            _keep_first(numbers_file, state["numbers"])
    elif options.resume:
        click.echo(f"No checkpoint in {options.out}; starting from the beginning.")
    elif accelerator.is_main_process:
        for file in (state_file, numbers_file):  # of a run before
            file.unlink(missing_ok=True)

    def save() -> None:
        if not accelerator.is_main_process:
            return
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "average": average.state_dict() if average is not None else None,
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "epoch": epoch,
            "step": step,
            "total": total,
            "options": {name: getattr(options, name) for name in SAME},
            "best": best,
            "numbers": _count_lines(numbers_file),
        }
        torch.save(state, state_file.with_suffix(".tmp"))
        state_file.with_suffix(".tmp").replace(state_file)

    def stale() -> bool:
        return bool(patience) and best is not None and epoch - best["epoch"] >= patience

    saved_at = time.monotonic()
    with tqdm(
        total=total,
        initial=epoch * steps_per_epoch + step,
        desc=options.out.name,
        mininterval=5,
        disable=not accelerator.is_main_process,
    ) as bar:
        while epoch < (options.until or options.epochs) and not stale():
            model.train()
            for batch in batches(epoch, step):
                done = epoch * steps_per_epoch + step
                for group, scale in zip(optimizer.param_groups, scales):
                    group["lr"] = options.learning_rate * scale * learning_rate_at(done, total, options.warmup)
                optimizer.zero_grad(set_to_none=True)
                parts = parts_of(batch) if parts_of else [batch]
                sums: dict[str, Tensor] = {}
                for number, part in enumerate(parts, 1):
                    # Processes exchange their gradients once a step, with the last part.
                    with nullcontext() if number == len(parts) else accelerator.no_sync(loss_module):
                        with autocast(options.device, options.precision):
                            losses = loss_module(part)
                        losses["loss"].backward()
                    sums = {name: sums.get(name, 0) + value.detach() for name, value in losses.items()}
                nn.utils.clip_grad_norm_(model.parameters(), options.clip)
                optimizer.step()
                if average is not None:
                    average.update_parameters(model)
                step += 1
                bar.update()
                if step % 20 == 0 or step == steps_per_epoch:
                    sums = accelerator.reduce(sums, "mean")
                    values = {name: round(float(value), 5) for name, value in sums.items()}
                    bar.set_postfix(values)
                    if accelerator.is_main_process:
                        _write_line(numbers_file, {"epoch": epoch, "step": done + 1, **values})
                if time.monotonic() - saved_at > options.save_minutes * 60:
                    save()
                    saved_at = time.monotonic()
            epoch, step = epoch + 1, 0
            numbers: dict[str, float] = {}
            if validate is not None and accelerator.is_main_process:
                final.eval()
                numbers = validate(final)
                _write_line(numbers_file, {"epoch": epoch, "step": epoch * steps_per_epoch, **numbers})
                tqdm.write(f"epoch {epoch}: " + ", ".join(f"{k} {v:.4f}" for k, v in numbers.items()))
            (numbers,) = broadcast_object_list([numbers])
            if best_by in numbers and (best is None or numbers[best_by] > best["score"]):
                weights = {name: tensor.clone() for name, tensor in final.state_dict().items()}
                best = {"score": numbers[best_by], "epoch": epoch, "weights": weights}
            save()
            saved_at = time.monotonic()
            if accelerator.is_main_process:
                plot_curve(numbers_file, options.out / CURVE)
    if best is not None:
        tqdm.write(f"epoch {best['epoch']} is kept: {best_by} {best['score']:.4f}")
        final.load_state_dict(best["weights"])
    return final.eval()


def plot_curve(numbers_file: Path, image: Path) -> None:
    """The loss and every dev number against the step, as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [json.loads(line) for line in numbers_file.read_text().splitlines()]
    names = [n for n in dict.fromkeys(k for row in rows for k in row) if n not in ("epoch", "step")]
    if not names:
        return
    figure, axes = pyplot.subplots(1, len(names), figsize=(3.4 * len(names), 3), squeeze=False, layout="constrained")
    for name, axis in zip(names, axes[0]):
        points = [(row["step"], row[name]) for row in rows if name in row]
        axis.plot(*zip(*points))
        axis.set(title=name, xlabel="step")
    figure.savefig(image, dpi=100)
    pyplot.close(figure)


def _write_line(path: Path, row: dict) -> None:
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def _count_lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def _keep_first(path: Path, count: int) -> None:
    if path.exists():
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:count]))
