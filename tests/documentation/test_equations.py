"""docs/equations.md states the weights that the code has by default."""

import math
import re

import pytest
import yaml
from pages import ROOT

from otosynth.configuration.methods import (
    cg_samr,
    cycle_shape,
    residual_unet,
    tiss_net,
    ucg_samr,
)
from otosynth.losses import thesis
from otosynth.metrics import FLOOR

PAGE = (ROOT / "docs/equations.md").read_text(encoding="utf-8")
METHODS = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["methods"]
CONFIDENCE = cg_samr.Settings.model_fields
# The page's names of the losses of Eq. 5 and 6.
NAMES = {"L_{\\mathrm{GAN}}": "adversarial", "L_{1}": "weighted_l1",
         "L_{\\mathrm{perception}}": "perception", "L_{\\mathrm{Dice}}": "dice"}  # fmt: skip


@pytest.mark.parametrize(("method", "total"), [("single_task", "single"), ("multi_task", "multi")])
def test_the_thesis_s_sums_have_the_configured_weights(method, total):
    (terms,) = re.findall(rf"L_{{\\mathrm{{{total}}}}} = (.*)", PAGE)
    found = {}
    for term in terms.split(" + "):
        weight, name = re.fullmatch(r"(\d*) ?(L_.*)", term).groups()
        found[NAMES[name]] = int(weight or 1)
    weights = METHODS[method]["loss_weights"]
    assert found == {name: weight for name, weight in weights.items() if weight}


@pytest.mark.parametrize(
    "statement",
    [
        rf"$\alpha_g = {tiss_net.LossWeights().l1:g}$",
        rf"$\alpha_t = {tiss_net.LossWeights().tissue_l1:g}$",
        rf"$\lambda_p = \lambda_S = {tiss_net.LossWeights().perceptibility:g}$",
        rf"$\lambda_c = {tiss_net.LossWeights().coarse:g}$",
        rf"+ {cycle_shape.LossWeights().cycle:g} L_{{\mathrm{{cyc}}}} + L_{{\mathrm{{shape}}}}",
        rf"+ {cg_samr.LossWeights().feature_matching:g} L_{{\mathrm{{FM}}}} + L_{{\mathrm{{SC}}}}",
        rf"$\lambda_{{\mathrm{{cm}}}}$ is {CONFIDENCE['confidence_weight'].default:g}",
        f"{CONFIDENCE['lowered_confidence_weight'].default:g} in a step",
        f"exceeds {CONFIDENCE['high_confidence'].default:g}",
        f"$s = {residual_unet.Settings.model_fields['dice_smoothing'].default:g} N$",
        rf"\frac{{1}}{{{1 / FLOOR:g}}}",
        f"at least {100 * thesis.SMALLEST_CLASS_SHARE:g} % of the patch",
        rf"$\epsilon = 10^{{{math.log10(thesis.DICE_EPSILON):.0f}}}$",
    ],
)
def test_a_number_of_the_page_is_the_code_s(statement):
    assert statement in PAGE


def test_all_other_weights_are_one():
    assert tiss_net.LossWeights().segmentor == tiss_net.LossWeights().perceptibility
    assert set(ucg_samr.LossWeights().model_dump().values()) == {1.0}
    of_guo, of_zhang = cg_samr.LossWeights(), cycle_shape.LossWeights()
    assert of_guo.adversarial == of_guo.shape == of_guo.confidence == 1
    assert of_zhang.adversarial == of_zhang.shape == 1
    for name in ("single_task", "multi_task"):
        weights = METHODS[name]["loss_weights"]
        assert weights["hausdorff"] == weights["centreline"] == 0
    assert set(METHODS["residual_unet"]["loss_weights"].values()) == {1}
