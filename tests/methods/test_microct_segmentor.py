"""microct_segmentor: it learns from real micro-CTs alone, and reads micro-CTs."""

from dataclasses import replace

import pytest
import torch

from otosynth.configuration.methods import method_settings
from otosynth.methods import create_method
from otosynth.methods.base import Batch, CtPatch


@pytest.fixture
def method():
    return create_method(method_settings("microct_segmentor", {"width": 4, "levels": 2}))


def shown_classes(batch: Batch) -> Batch:
    """The same batch with a micro-CT that shows its classes."""
    return replace(batch, microct=0.8 * (batch.classes[:, 2:] - batch.classes[:, :1]))


def test_it_serves_others_and_tests_no_ear(method):
    assert not method.settings.tested
    assert not method.settings.gives_microct
    assert method.settings.smallest_patch == 4
    assert method.settings.patch_multiple == 2


@pytest.mark.parametrize("norm", ["instance", "layer", "none"])
def test_the_loss_reaches_every_weight(make_batch, norm):
    method = create_method(
        method_settings("microct_segmentor", {"width": 4, "levels": 3, "norm": norm})
    )
    networks, batch = method.build_networks(1), make_batch()
    method.losses("segmentor", ["dice"], networks, batch, method.generate(networks, batch))[
        "dice"
    ].backward()
    for name, parameter in networks["segmentor"].named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # Instance norm takes a bias away again.
        if norm != "instance" or name.endswith("weight"):
            assert parameter.grad.abs().max() > 1e-7, name


def test_neither_the_ct_nor_what_lies_outside_the_mask_counts(method, make_batch):
    networks, batch = method.build_networks(1), make_batch()
    other = replace(batch, ct=-batch.ct, microct=torch.where(batch.mask > 0, batch.microct, 0.77))
    first, second = (method.validation_losses(networks, b) for b in (batch, other))
    assert first["dice"].item() == second["dice"].item()


def test_it_memorises_a_patch(method, make_batch, train_steps):
    batch = shown_classes(make_batch(edge=8))
    torch.set_deterministic_debug_mode("error")
    try:
        networks, history = train_steps(method, batch, 250, rate=2e-3)
    finally:
        torch.set_deterministic_debug_mode("default")
    assert history[-1]["dice"] < 0.5 * history[0]["dice"]
    score = method.validation_score(
        {name: loss.item() for name, loss in method.validation_losses(networks, batch).items()}
    )
    assert score == pytest.approx(history[-1]["dice"], abs=0.05)


def test_it_segments_micro_cts_only(method, make_batch):
    networks, batch = method.build_networks(1), make_batch()
    probabilities = method.segment(networks, batch.microct)
    assert probabilities.shape == (1, 3, 16, 16, 16)
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(1, 16, 16, 16))
    looked = method.look(networks, batch)
    assert looked.microct is None
    assert looked.probabilities.shape == (1, 3, 16, 16, 16)
    # What it is given to predict from is a micro-CT.
    predicted = method.predict(networks, CtPatch(batch.microct, batch.mask))
    assert predicted.microct is None
    assert torch.equal(predicted.probabilities, probabilities)
