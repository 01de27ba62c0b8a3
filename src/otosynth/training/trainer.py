"""The training loop: one step on each player in turn, checkpoints, resumable at any step."""

import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from otosynth.errors import InputError, Stopped
from otosynth.heap import keep_freed_memory
from otosynth.methods.base import Batch, Method, weighted_sum
from otosynth.patches import fullest_patch
from otosynth.seeds import derive_seed
from otosynth.selection import SCORE
from otosynth.training.adam import Adam
from otosynth.training.arithmetic import Arithmetic, tiny_numbers_as_zero
from otosynth.training.batches import PatchReader, TrainingPatches
from otosynth.training.budget import PETA, affordable_steps, count_operations
from otosynth.training.checkpoints import CHECKPOINTS, checkpoint_name, write_checkpoint
from otosynth.training.monitor import Monitor, monitor_images
from otosynth.training.recomputation import recompute_activations
from otosynth.training.replay import RepeatedStep, stream_of_steps
from otosynth.training.schedule import (
    cosine_rate,
    drawn_by_weight,
    learning_rate,
    patch_order,
)
from otosynth.training.state import Progress, check_resumable, load_state, save_state
from otosynth.training.stopping import Requests, requests_by_signal
from otosynth.training.team import Team
from otosynth.training.validation import validation_row
from otosynth.words import duration

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_MESSAGES = 30.0


@dataclass(frozen=True)
class Job:
    """One training: a method on a group with a seed.

    Attributes
    ----------
    title
        For messages, e.g. ``multi_task, group A, seed 1``.
    seed
        Decides weights, patch order and dropout.
    folder
        The state folder of this training; its name is a digest of all that decides the result.
    state_minutes
        Longest time between two saves of the state.
    fold
        Split to specimens with the digests of their pairs; every checkpoint carries it.
    petaflop
        Budget of operations, in 1e15, that decides the steps of an epoch; none: the schedule.
    patience
        Checkpoints without a lower validation score after which it ends; none: all epochs.
    recompute
        Whether the backward pass computes activations again, to save memory.
    """

    title: str
    seed: int
    folder: Path
    state_minutes: float
    fold: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    petaflop: float | None = None
    patience: int | None = None
    recompute: bool = False


class Trainer:
    """Trains a method's networks on the patches of a reader.

    From its making on the process keeps the memory that it frees (:mod:`otosynth.heap`).

    Parameters
    ----------
    method, reader, arithmetic, job
        What to train, on what, how and under which name.
    validation
        The validation specimens' patches: every checkpoint is scored on them, and the fullest is
        drawn after each epoch (Fig. 5).
    team
        The processes that train together: each takes every ``team.size``-th patch of an epoch.
    """

    def __init__(
        self,
        method: Method,
        reader: PatchReader,
        validation: PatchReader,
        arithmetic: Arithmetic,
        job: Job,
        team: Team | None = None,
    ) -> None:
        keep_freed_memory()
        self.method, self.reader, self.validation = method, reader, validation
        self.example = validation.read(fullest_patch(validation.table))
        self.arithmetic, self.job, self.team = arithmetic, job, team or Team()
        self.settings = method.settings
        self.patches = TrainingPatches(
            reader, self.settings.paired, self.settings.augmentation, self.settings.jitter,
            self.settings.prior_changes,
        )  # fmt: skip
        self.of_cochlea = self._voxels_of_cochlea()
        self.networks = {
            name: arithmetic.place_network(network)
            for name, network in method.build_networks(job.seed).items()
        }
        self.optimisers = {player: self._optimiser(player) for player in method.players}
        # Of all processes. A last step that too few patches are left for is filled up from the
        # table's next round.
        self.patches_a_step = self.settings.batch_size * self.team.size
        self.steps = [math.ceil(visits / self.patches_a_step) for visits in self._visits()]
        # Not before: a budget pays for a training's steps, and not for how it saves memory.
        if job.recompute:
            for network in self.networks.values():
                recompute_activations(network, arithmetic)
        self.saved = time.monotonic()

    def _optimiser(self, player: str) -> Adam:
        parameters = [
            p for name in self.method.players[player] for p in self.networks[name].parameters()
        ]
        s = self.settings
        changes_within_epochs = s.schedule == "cosine"
        return Adam(
            parameters, s.learning_rate, s.adam_betas, s.weight_decay,
            rate_on_device=changes_within_epochs and self.arithmetic.device.type == "cuda",
        )  # fmt: skip

    def _voxels_of_cochlea(self) -> np.ndarray | None:
        """Return how much of the cochlea's region each patch holds, where some are drawn by it."""
        if not self.settings.cochlea_share:
            return None
        table = self.reader.table
        if "cochlea" in table and table["cochlea"].any():
            return table["cochlea"].to_numpy()
        logger.info(
            "%s: the training patches do not say where the cochlea is, so all are drawn alike.",
            self.job.title,
        )
        return None

    def _visits(self) -> list[int]:
        """Return how many patches each epoch visits."""
        epochs, batch_size = self.settings.epochs, self.settings.batch_size
        if self.job.petaflop is None:
            of_epoch = self.settings.steps_per_epoch
            return [of_epoch * batch_size if of_epoch else len(self.reader)] * epochs
        operations = self._operations_of_a_step()
        steps = affordable_steps(self.job.petaflop, operations)
        spent = sum(n * each for n, each in zip(steps, operations, strict=True))
        logger.info(
            "%s: %g Pflop are %d steps in %d epochs, %.1f Gflop a step (%.1f %% of the budget)",
            self.job.title, self.job.petaflop, sum(steps), epochs, spent / sum(steps) / 1e9,
            100 * spent / (self.job.petaflop * PETA),
        )  # fmt: skip
        return [each * batch_size for each in steps]

    def _operations_of_a_step(self) -> list[int]:
        """Count the operations of a step in each epoch: epochs may differ in their losses."""
        patch = self.patches.read(0, self.job.seed)
        batch = self.reader.together([patch] * self.settings.batch_size)
        counted: dict[str, int] = {}
        operations = []
        for epoch in range(self.settings.epochs):
            wanted = str([sorted(self.method.weights(p, epoch)) for p in self.method.players])
            if wanted not in counted:
                with stream_of_steps(self.arithmetic.device):
                    counted[wanted] = count_operations(partial(list, self._backward(batch, epoch)))
            operations.append(counted[wanted])
        return operations

    def train(self) -> pd.DataFrame:
        """Train all epochs, from the last saved state where there is one.

        Checkpoints and TensorBoard files are in the job's folder afterwards.

        Returns
        -------
        DataFrame
            One row an epoch: epoch, steps, learning rate and the mean of every loss; with a
            checkpoint also the losses and the score of validation (``validation_...``).

        Raises
        ------
        InputError
            If a loss stops being a finite number, or a saved state has another precision.
        Stopped
            If SIGTERM or SIGINT asked for it; the state is saved.
        """
        with requests_by_signal() as requests, tiny_numbers_as_zero():
            progress = self._resume()
            monitor = self._monitor(progress)
            speed = Speed(self.job.title, sum(self.steps))
            while progress.epoch < self.settings.epochs and not self._is_on_plateau(progress):
                self._train_epoch(progress, speed, requests, monitor)
                self._finish_epoch(progress)
                if monitor:
                    self._show(monitor, progress, speed)
                # After the monitor: an epoch that is saved and not shown would stay a gap for good.
                self._save(progress)
            if monitor:
                monitor.close()
        return pd.DataFrame(progress.history)

    def _resume(self) -> Progress:
        if not self.team.leads:
            # The leader looks first: it sets damaged states aside.
            self.team.wait_for_all()
        progress = load_state(self.job.folder, self.networks, self.optimisers)
        if self.team.leads:
            self.team.wait_for_all()
        if progress is None:
            return Progress(self.arithmetic.precision, sum(self.steps))
        check_resumable(progress, self.arithmetic.precision, sum(self.steps))
        logger.info(
            "%s: continuing after epoch %d, step %d",
            self.job.title, progress.epoch, progress.step,
        )  # fmt: skip
        return progress

    def _monitor(self, progress: Progress) -> Monitor | None:
        if not self.team.leads:
            return None
        return Monitor(self.job.folder / "tensorboard", progress.epoch)

    def _show(self, monitor: Monitor, progress: Progress, speed: "Speed") -> None:
        images = monitor_images(self.method, self.networks, self.example, self.arithmetic)
        monitor.write_epoch(progress.history[-1], images)
        _show_speed(monitor, progress.epoch, speed)

    def _rate(self, epoch: int, step: int) -> float:
        s = self.settings
        if s.schedule == "linear":
            return learning_rate(s.learning_rate, epoch, s.constant_epochs, s.epochs)
        done = sum(self.steps[:epoch]) + step
        return cosine_rate(s.learning_rate, done, sum(self.steps), s.warmup)

    def _train_epoch(
        self, progress: Progress, speed: "Speed", requests: Requests, monitor: Monitor | None
    ) -> None:
        epoch = progress.epoch
        for optimiser in self.optimisers.values():
            # Gradients lie in the memory of the last epoch's graph, and would keep it.
            optimiser.zero_grad()
        for network in self.networks.values():
            network.train()
        steps, before = self.steps[epoch], sum(self.steps[:epoch])
        do_step, patches = self.step_of(epoch), self._patches_of(epoch, progress.step)
        ahead = next(patches, None)
        for step in range(progress.step, steps):
            assert ahead is not None
            seed, batch = ahead
            torch.manual_seed(seed)
            for optimiser in self.optimisers.values():
                optimiser.set_rate(self._rate(epoch, step))
            losses = do_step(batch)
            # Before the losses, which wait for the step: a GPU computes it while a patch is read.
            # A CPU gains nothing by it, and holds a second patch.
            ahead = next(patches, None)
            self._add(progress, self.team.average(losses))
            progress.step = step + 1
            is_time = speed.count(before + step + 1)
            if monitor and is_time and progress.step < steps:
                _show_speed(monitor, epoch, speed)
            self._obey(requests, progress)

    def _patches_of(self, epoch: int, first: int) -> Iterator[tuple[int, Batch]]:
        """Yield the seed and the batch of each of an epoch's steps from ``first`` on."""
        order, batch_size = self._order(epoch), self.settings.batch_size
        for step in range(first, self.steps[epoch]):
            start = step * self.patches_a_step + self.team.rank * batch_size
            stop = start + batch_size
            seeds = [
                derive_seed(self.job.seed, "step", epoch, visit) for visit in range(start, stop)
            ]
            patches = map(self.patches.read, order[start:stop].tolist(), seeds)
            yield seeds[0], self.reader.together(list(patches))

    def _order(self, epoch: int) -> np.ndarray:
        """Return the rows of the patch table that an epoch visits, in order."""
        visits = self.steps[epoch] * self.patches_a_step
        order = patch_order(len(self.reader), visits, self.job.seed, epoch)
        if self.of_cochlea is None:
            return order
        share = self.settings.cochlea_share
        return drawn_by_weight(order, self.of_cochlea, share, self.job.seed, epoch)

    def step_of(self, epoch: int) -> RepeatedStep:
        """Return what does one step of an epoch, on a batch; its losses are on the device."""
        replays = (
            self.arithmetic.device.type == "cuda" and self.method.stays_on_device
            # Not tried with several GPUs; recomputation looks at the random state meanwhile.
            and self.team.size == 1 and not self.job.recompute
        )  # fmt: skip
        return RepeatedStep(partial(self._step, epoch=epoch), self.arithmetic.device, replays)

    def _obey(self, requests: Requests, progress: Progress) -> None:
        """Save the state if it is time or a signal asked for it; stop if one asked to."""
        stop = self.team.largest(requests.stop, self.arithmetic.device)
        overdue = time.monotonic() - self.saved > 60 * self.job.state_minutes
        if stop or requests.save or overdue:
            requests.save = False
            self._save(progress)
        if stop:
            self.team.wait_for_all()
            raise Stopped(stop)

    def _save(self, progress: Progress) -> None:
        if self.team.leads:
            save_state(self.job.folder, progress, self.networks, self.optimisers)
        self.saved = time.monotonic()

    def _is_on_plateau(self, progress: Progress) -> bool:
        """Return whether, since the rate began to fall, checkpoints brought no lower score."""
        if self.job.patience is None:
            return False
        s = self.settings
        full = s.constant_epochs if s.schedule == "linear" else math.ceil(s.warmup * s.epochs)
        first = max(s.first_selectable_epoch, full)
        scores = [r[SCORE] for r in progress.history if SCORE in r and r["epoch"] >= first]
        return bool(scores) and len(scores) - 1 - scores.index(min(scores)) >= self.job.patience

    def _step(self, batch: Batch, epoch: int) -> dict[str, torch.Tensor]:
        """Step every player that plays in this epoch; return all losses, still on the device."""
        values: dict[str, torch.Tensor] = {}
        for player, losses in self._backward(batch, epoch):
            names = self.method.players[player]
            self.team.average_gradients(self.networks[name] for name in names)
            if self.settings.gradient_clip is not None:
                parameters = self.optimisers[player].parameters
                nn.utils.clip_grad_norm_(parameters, self.settings.gradient_clip)
            self.optimisers[player].step()
            values.update({name: loss.detach() for name, loss in losses.items()})
        return values

    def _backward(self, batch: Batch, epoch: int) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
        """Yield each player that plays in this epoch with its losses, once it has gradients."""
        self._train_only(tuple(self.networks))
        with self.arithmetic.for_networks():
            generated = self.method.generate(self.networks, batch)
        for player, names in self.method.players.items():
            weights = self.method.weights(player, epoch)
            if not weights:
                continue
            self._train_only(names)
            with self.arithmetic.for_networks():
                losses = self.method.losses(player, weights, self.networks, batch, generated)
            self.optimisers[player].zero_grad()
            weighted_sum(losses, weights).backward()
            yield player, losses

    def _train_only(self, names: tuple[str, ...]) -> None:
        for name, network in self.networks.items():
            network.requires_grad_(name in names)

    def _add(self, progress: Progress, losses: Mapping[str, float]) -> None:
        for name, value in losses.items():
            if not math.isfinite(value):
                raise InputError(
                    f"{self.job.title}: the loss {name} is {value} in epoch {progress.epoch + 1}. "
                    "Lower the learning_rate, or train in float32."
                )
            progress.sums[name] = progress.sums.get(name, 0.0) + value

    def _finish_epoch(self, progress: Progress) -> None:
        steps = self.steps[progress.epoch]
        rate = self._rate(progress.epoch, steps - 1)
        means = {name: total / steps for name, total in progress.sums.items()}
        progress.epoch += 1
        progress.step, progress.sums = 0, {}
        row = {"epoch": progress.epoch, "steps": steps, "learning_rate": rate, **means}
        progress.history.append(row)
        every = self.settings.checkpoint_every
        last = progress.epoch == self.settings.epochs
        saves = progress.epoch % every == 0 or last
        if saves and self.team.leads:
            name = checkpoint_name(progress.epoch)
            facts = {
                "epoch": progress.epoch,
                "precision": self.arithmetic.precision,
                "fold": self.job.fold,
            }
            progress.checkpoints[name] = write_checkpoint(
                self.job.folder / CHECKPOINTS / name, self.networks, facts
            )
        if saves:
            row |= self._validate()

    def _validate(self) -> dict[str, float]:
        for network in self.networks.values():
            network.eval()
        return validation_row(self.method, self.networks, self.validation)


def _show_speed(monitor: Monitor, epochs: int, speed: "Speed") -> None:
    if speed.seconds_left is not None:
        monitor.write_speed(epochs, speed.steps_per_second, speed.seconds_left)


class Speed:
    """Says now and then how far a training is and how long it will still take."""

    def __init__(self, title: str, steps_in_all: int) -> None:
        self.title, self.steps_in_all = title, steps_in_all
        self.started = self.told = time.monotonic()
        self.first_step: int | None = None
        self.steps_per_second = 0.0
        # Known from the second step on; with `patience` it may end earlier.
        self.seconds_left: float | None = None

    def count(self, steps_done: int) -> bool:
        """Note that ``steps_done`` of all steps are done; return whether it was time to say so."""
        now = time.monotonic()
        if self.first_step is None:
            # The first step after a start also warms up; speed is counted from its end.
            self.first_step, self.started = steps_done, now
            return False
        self.steps_per_second = (steps_done - self.first_step) / (now - self.started)
        self.seconds_left = (self.steps_in_all - steps_done) / self.steps_per_second
        if now - self.told <= SECONDS_BETWEEN_MESSAGES and steps_done < self.steps_in_all:
            return False
        logger.info(
            "%s: step %d of %d, %.1f steps/s, %s left",
            self.title, steps_done, self.steps_in_all, self.steps_per_second,
            duration(self.seconds_left),
        )  # fmt: skip
        self.told = now
        return True
