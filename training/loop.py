"""The loop that all training steps share: schedule, mixed precision, averaged weights, several processes, resume."""

import pickle
import random
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any, Generic, TypeVar, cast

import click
import numpy as np
import torch
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from training.files import writing
from training.loop_options import LoopOptions
from training.progress import ProgressLog
from training.run_state import damaged, load_state, restore_random, save_state

STATE, NUMBERS, CURVE = "state.pt", "numbers.jsonl", "loss.png"
LOG_EVERY = 20  # steps
UNREADABLE = (RuntimeError, ValueError, KeyError, TypeError, EOFError, OSError, pickle.UnpicklingError)
Model = TypeVar("Model", bound=nn.Module)


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

    def __init__(self, model: nn.Module, loss_of: Callable[[Any], dict[str, Tensor]]):
        super().__init__()
        self.model, self._loss_of = model, loss_of

    def forward(self, piece: Any) -> dict[str, Tensor]:
        return self._loss_of(piece)


class Trainer(Generic[Model]):
    """One training run; `fit` trains the model and returns the averaged one."""

    def __init__(
        self,
        model: Model,
        groups: list[dict[str, Any]],
        batches: Callable[[int, int], Iterable[Any]],
        steps_per_epoch: int,
        loss_of: Callable[[Any], dict[str, Tensor]],
        options: LoopOptions,
        *,
        validate: Callable[[Model], dict[str, float]] | None = None,
        best_by: str | None = None,
        patience: int = 0,
        split_batch: Callable[[Any], list[Any]] | None = None,
    ):
        """`groups`: AdamW parameter groups; a group's "scale" multiplies the learning rate. `batches(epoch, start)`:
        that epoch's batches from number `start` on, the same at every call. `loss_of(batch)`: a dict with "loss" and
        what else is to be logged. `validate(averaged model)`: numbers of the dev set, after each epoch. `best_by`: the
        one of them whose highest epoch is returned instead of the last; after `patience` epochs without a higher one
        (0: never) the run ends. `split_batch(batch)`: what of a batch this process computes, one piece after the other;
        the losses of all pieces in all processes add up to the batch's times the number of processes, since gradients
        are averaged over them. Without it there can be only one process. Raises click.ClickException.
        """
        self.options, self.accelerator = options, options.accelerator
        if self.accelerator.num_processes > 1 and split_batch is None:
            raise click.UsageError("this step trains in one process; start it without accelerate launch")
        if steps_per_epoch < 1:
            raise click.UsageError(
                f"there is less training data than one batch of {options.batch_size}; give more data or a smaller "
                "--batch-size"
            )
        with writing(options.out):
            options.out.mkdir(parents=True, exist_ok=True)
        self.batches, self.steps_per_epoch = batches, steps_per_epoch
        self.validate, self.best_by, self.patience = validate, best_by, patience
        self.split_batch = split_batch or (lambda batch: [batch])
        self.model = model.to(options.device)
        self.loss_module = self.accelerator.prepare_model(_Loss(model, loss_of))
        self.average = Average(model, options.ema) if options.ema else None
        self.final = cast(Model, self.average.module) if self.average is not None else model
        self.scales = [group.pop("scale", 1.0) for group in groups]
        self.optimizer = torch.optim.AdamW(
            groups, lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
        )
        self.total = options.epochs * steps_per_epoch
        self.epoch = self.step = 0  # whole epochs done, and steps of the one that is begun
        self.best: dict[str, Any] | None = None
        self.log = ProgressLog(options.out / NUMBERS)
        self.state_file = options.out / STATE

    @property
    def is_main(self) -> bool:
        return self.accelerator.is_main_process

    @property
    def done(self) -> int:
        """Steps since the beginning."""
        return self.epoch * self.steps_per_epoch + self.step

    def fit(self) -> Model:
        """Train to the end, from the last checkpoint with `resume`, and return the averaged model in eval mode."""
        self._begin()
        self.saved_at = time.monotonic()
        title = self.options.out.name
        with tqdm(total=self.total, initial=self.done, desc=title, mininterval=5, disable=not self.is_main) as self.bar:
            while self.epoch < (self.options.until or self.options.epochs) and not self._is_stale():
                self._train_epoch()
                self._keep_best(self._measure())
                self._save()
                if self.is_main:
                    self.log.plot(self.options.out / CURVE)
        if self.best is not None:
            tqdm.write(f"epoch {self.best['epoch']} is kept: {self.best_by} {self.best['score']:.4f}")
            self.final.load_state_dict(self.best["weights"])
        return self.final.eval()

    def _begin(self) -> None:
        """Restore the last checkpoint, or forget the run before this one."""
        if self.options.resume and self.state_file.exists():
            self._restore()
        elif self.options.resume:
            click.echo(f"No checkpoint in {self.options.out}; starting from the beginning.")
        elif self.is_main:
            for file in (self.state_file, self.log.file):
                file.unlink(missing_ok=True)

    def _restore(self) -> None:
        try:
            state = load_state(self.state_file, self.total, self.options)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            restore_random(state)
            self.epoch, self.step, self.best = state["epoch"], state["step"], state["best"]
            rows = state["numbers"]
        except UNREADABLE as error:
            raise damaged(self.state_file, error) from None
        if self.is_main:
            self.log.truncate(rows)

    def _save(self) -> None:
        self.saved_at = time.monotonic()
        if not self.is_main:
            return
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "epoch": self.epoch,
            "step": self.step,
            "best": self.best,
            "numbers": len(self.log),
        }
        save_state(self.state_file, state, self.total, self.options)

    def _train_epoch(self) -> None:
        """The rest of the epoch that is begun."""
        self.model.train()
        for batch in self.batches(self.epoch, self.step):
            losses = self._train_step(batch)
            self.step += 1
            self.bar.update()
            if self.step % LOG_EVERY == 0 or self.step == self.steps_per_epoch:
                self._log_losses(losses)
            if time.monotonic() - self.saved_at > self.options.save_minutes * 60:
                self._save()
        self.epoch, self.step = self.epoch + 1, 0

    def _train_step(self, batch: Any) -> dict[str, Tensor]:
        """One update of the weights, from all pieces of the batch -> its losses."""
        rate = self.options.learning_rate * learning_rate_at(self.done, self.total, self.options.warmup)
        for group, scale in zip(self.optimizer.param_groups, self.scales):
            group["lr"] = rate * scale
        self.optimizer.zero_grad(set_to_none=True)
        pieces = self.split_batch(batch)
        sums: dict[str, Tensor] = {}
        for number, piece in enumerate(pieces, 1):
            # Processes exchange their gradients once a step, with the last piece.
            with nullcontext() if number == len(pieces) else self.accelerator.no_sync(self.loss_module):
                with autocast(self.options.device, self.options.precision):
                    losses = self.loss_module(piece)
                losses["loss"].backward()
            sums = {name: sums.get(name, 0) + value.detach() for name, value in losses.items()}
        nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return sums

    def _log_losses(self, losses: dict[str, Tensor]) -> None:
        mean = self.accelerator.reduce(losses, "mean")
        values = {name: round(float(value), 5) for name, value in mean.items()}
        self.bar.set_postfix(values)
        if self.is_main:
            self.log.write({"epoch": self.epoch, "step": self.done, **values})

    def _measure(self) -> dict[str, float]:
        """The dev numbers after an epoch, the same in all processes; {} without `validate`."""
        numbers: dict[str, float] = {}
        if self.validate is not None and self.is_main:
            self.final.eval()
            numbers = self.validate(self.final)
            self.log.write({"epoch": self.epoch, "step": self.done, **numbers})
            if numbers:
                tqdm.write(f"epoch {self.epoch}: " + ", ".join(f"{k} {v:.4f}" for k, v in numbers.items()))
        (numbers,) = broadcast_object_list([numbers])
        return numbers

    def _keep_best(self, numbers: dict[str, float]) -> None:
        if self.best_by is None or self.best_by not in numbers:
            return
        score = numbers[self.best_by]
        if self.best is None or score > self.best["score"]:
            weights = {name: tensor.clone() for name, tensor in self.final.state_dict().items()}
            self.best = {"score": score, "epoch": self.epoch, "weights": weights}

    def _is_stale(self) -> bool:
        return bool(self.patience) and self.best is not None and self.epoch - self.best["epoch"] >= self.patience
