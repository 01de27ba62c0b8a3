"""Repeated steps: done as written without a GPU, and on one replayed to the same bytes."""

import hashlib
from contextlib import contextmanager
from dataclasses import replace

import pandas as pd
import pytest
import torch

from otosynth.configuration.methods import method_settings
from otosynth.methods import create_method
from otosynth.patches import patch_table
from otosynth.training import replay
from otosynth.training import trainer as trainers
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader, TrainingPatches
from otosynth.training.replay import RepeatedStep
from otosynth.training.state import load_state
from otosynth.training.team import Team
from otosynth.training.trainer import Job, Trainer

GAN = {"width": 4, "residual_blocks": 1, "discriminator_blocks": 2}
SAMR = GAN | {"halvings": 2, "discriminator_width": 4}
WEIGHTS = {"adversarial": 1, "weighted_l1": 5, "perception": 5, "dice": 10}
# Of each module: what makes it small, and how many volumes its prior has.
METHODS = {
    "single_task": (GAN | {"loss_weights": WEIGHTS | {"dice": 0}}, 0),
    "multi_task": (GAN | {"loss_weights": WEIGHTS | {"centreline": 1}, "norm": "layer"}, 0),
    "cg_samr": (SAMR | {"segmentor_width": 4, "segmentor_levels": 2}, 1),
    "ucg_samr": (SAMR, 3),
    "cycle_shape": ({"width": 4, "levels": 2, "discriminator_blocks": 2}, 0),
    "tiss_net": ({"width": 4, "levels": 2, "discriminator_blocks": 2}, 0),
    "microct_segmentor": ({"width": 4, "levels": 2}, 0),
    "dyn_unet": ({"width": 4, "levels": 3, "deep_supervision_heads": 1}, 0),
    "regression": ({"width": 4, "residual_blocks": 1}, 0),
    "super_resolution": ({"width": 8, "residual_blocks": 1}, 0),
    "residual_unet": (
        {
            "widths": (4, 6),
            "batch_size": 2,
            "weight_decay": 1e-4,
            "gradient_clip": 0.5,
            "augmentation": "flips_and_axes",
        },
        0,
    ),
}
SCHEDULE = {"epochs": 2, "constant_epochs": 1, "steps_per_epoch": 4, "checkpoint_every": 1}


@pytest.fixture
def make_any(pairs, normalisation, tmp_path):
    """Return trainers of every method on a GPU."""

    def make(name, folder, precision="bfloat16", petaflop=None):
        keys, priors = METHODS[name]
        arithmetic = resolve_arithmetic("cuda", precision, threads=1)
        with_priors = {
            ear: replace(pair, prior=(pair.microct,) if priors == 1 else (pair.classmap,) * priors)
            for ear, pair in pairs.items()
        }
        reader = PatchReader(patch_table(pairs, 16, 4), with_priors, normalisation, arithmetic)
        method = create_method(method_settings(name, {"title": name} | SCHEDULE | keys))
        method.voxel_mm = 0.1
        if name == "tiss_net":
            lender = create_method(method_settings("microct_segmentor", {"width": 4, "levels": 2}))
            method.required["microct_segmentor"] = {
                key: arithmetic.place_network(network.eval().requires_grad_(False))
                for key, network in lender.build_networks(2).items()
            }
        return Trainer(
            method, reader, reader, arithmetic, Job(name, 7, tmp_path / folder, 10.0, {}, petaflop)
        )

    return make


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_a_gpu_alone_replays_steps_and_only_those_that_it_computes_by_itself(make_trainer):
    weights = WEIGHTS | {"hausdorff": 0.1}
    trainers = {
        "plain": make_trainer(),
        "again": make_trainer(folder="again", recompute=True),
        "distances": make_trainer(folder="distances", loss_weights=weights),
        "team": make_trainer(folder="team"),
    }
    trainers["team"].team = Team(0, 2)
    assert not any(trainer.step_of(0).replays for trainer in trainers.values())
    for trainer in trainers.values():
        trainer.arithmetic = replace(trainer.arithmetic, device=torch.device("cuda"))
    assert {name: t.step_of(0).replays for name, t in trainers.items()} == {
        "plain": True, "again": False, "distances": False, "team": False,
    }  # fmt: skip


def test_the_next_patch_is_read_before_a_step_is_waited_for(make_trainer, monkeypatch):
    trainer, seen = make_trainer(epochs=2, steps_per_epoch=3), []

    def watch(owner, name, word):
        done = getattr(owner, name)

        def watched(*given, **named):
            seen.append(word)
            return done(*given, **named)

        monkeypatch.setattr(owner, name, watched)

    watch(TrainingPatches, "read", "read")
    watch(trainer, "_step", "step")
    watch(Team, "average", "wait")
    trainer.train()
    epoch = ["read", "step", "read", "wait", "step", "read", "wait", "step", "wait"]
    assert seen == 2 * epoch


def test_the_hausdorff_loss_needs_the_cpu(tiny_settings):
    weights = WEIGHTS | {"hausdorff": 0.1}
    assert create_method(tiny_settings("multi_task")).stays_on_device
    assert not create_method(tiny_settings("multi_task", loss_weights=weights)).stays_on_device


def test_a_step_that_cannot_be_captured_says_what_to_do(make_trainer, monkeypatch):
    @contextmanager
    def refuses(graph, stream):
        raise RuntimeError("operation not permitted when stream is capturing")
        yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "graph", refuses)
    monkeypatch.setattr(replay, "_stream", lambda device: None)
    batch = make_trainer().reader.read(0)
    do_step = RepeatedStep(lambda batch: {}, torch.device("cpu"), replays=True)
    assert do_step(batch) == {}
    with pytest.raises(RuntimeError, match="its `stays_on_device` must be False"):
        do_step(batch)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", METHODS)
def test_a_replayed_training_gives_the_same_bytes(make_any, tmp_path, monkeypatch, name, precision):
    replays = []

    def plain(step, device, replays):
        return RepeatedStep(step, device, replays=False)

    def watched(step, device, replays_it):
        replays.append(replays_it)
        return RepeatedStep(step, device, replays_it)

    monkeypatch.setattr(trainers, "RepeatedStep", plain)
    histories = [make_any(name, "written", precision).train()]
    monkeypatch.setattr(trainers, "RepeatedStep", watched)
    histories.append(make_any(name, "replayed", precision).train())
    assert replays == [True, True]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    assert digests(tmp_path / "written/checkpoints") == digests(tmp_path / "replayed/checkpoints")


@pytest.mark.gpu
def test_a_stopped_replayed_training_continues_to_the_same_bytes(make_any, tmp_path):
    make_any("multi_task", "whole").train()
    stopped = make_any("multi_task", "stopped")
    stopped.job = replace(stopped.job, state_minutes=1e-9)
    obey, seen = stopped._obey, []

    def obey_and_stop(requests, progress):
        obey(requests, progress)
        seen.append(progress.step)
        if len(seen) == 3:
            raise KeyboardInterrupt

    stopped._obey = obey_and_stop
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    again = make_any("multi_task", "stopped")
    progress = load_state(tmp_path / "stopped", again.networks, again.optimisers)
    assert (progress.epoch, progress.step) == (0, 3), "it stopped in the middle of an epoch"
    again.train()
    assert digests(tmp_path / "whole/checkpoints") == digests(tmp_path / "stopped/checkpoints")


@pytest.mark.gpu
def test_a_step_counted_for_a_budget_can_still_be_captured(make_any):
    # MONAI's DynUNet keeps tensors of the pass that was counted.
    history = make_any("dyn_unet", "budget", "float32", petaflop=2e-4).train()
    assert history["steps"].min() > 2


@pytest.mark.gpu
def test_a_batch_of_another_shape_is_not_replayed(make_any):
    trainer = make_any("regression", "shapes")
    do_step, batch = trainer.step_of(0), trainer.reader.read(0)
    losses = [float(do_step(batch)["weighted_l1"]) for _ in range(3)]
    names = ("ct", "microct", "mask", "classes")
    small = replace(batch, **{name: getattr(batch, name)[..., :8] for name in names})
    assert do_step(small)["weighted_l1"].isfinite()
    assert float(do_step(batch)["weighted_l1"]) < losses[0]
