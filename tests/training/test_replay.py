"""Repeated steps: done as written without a GPU, and on one replayed to the same bytes."""

import hashlib
from dataclasses import replace

import pandas as pd
import pytest
import torch

from otosynth.configuration.methods import method_settings
from otosynth.methods import create_method
from otosynth.patches import patch_table
from otosynth.training import trainer as trainers
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.replay import RepeatedStep
from otosynth.training.state import load_state
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
}
SCHEDULE = {"epochs": 2, "constant_epochs": 1, "steps_per_epoch": 4, "checkpoint_every": 1}
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.fixture
def make_any(pairs, normalisation, tmp_path):
    """Return trainers of every method on a GPU."""

    def make(name, folder, precision="bfloat16"):
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
        return Trainer(method, reader, reader, arithmetic, Job(name, 7, tmp_path / folder, 10.0))

    return make


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_without_a_gpu_steps_are_done_as_they_are_written(make_trainer):
    trainer = make_trainer()
    do_step, batch = trainer.steps_of(0), trainer.reader.read(0)
    again = make_trainer(folder="again")
    for seed in range(3):
        torch.manual_seed(seed)
        losses = do_step(batch)
        torch.manual_seed(seed)
        expected = again._step(batch, 0)
        assert {k: float(v) for k, v in losses.items()} == {
            k: float(v) for k, v in expected.items()
        }


def test_the_hausdorff_loss_needs_the_cpu(tiny_settings):
    weights = WEIGHTS | {"hausdorff": 0.1}
    assert create_method(tiny_settings("multi_task")).stays_on_device
    assert not create_method(tiny_settings("multi_task", loss_weights=weights)).stays_on_device


@gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", METHODS)
def test_a_replayed_training_gives_the_same_bytes(make_any, tmp_path, monkeypatch, name, precision):
    replays = []

    def plain(step, replays):
        return RepeatedStep(step, replays=False)

    def watched(step, replays_it):
        replays.append(replays_it)
        return RepeatedStep(step, replays_it)

    monkeypatch.setattr(trainers, "RepeatedStep", plain)
    histories = [make_any(name, "written", precision).train()]
    monkeypatch.setattr(trainers, "RepeatedStep", watched)
    histories.append(make_any(name, "replayed", precision).train())
    assert replays == [True, True]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    assert digests(tmp_path / "written/checkpoints") == digests(tmp_path / "replayed/checkpoints")


@gpu
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
