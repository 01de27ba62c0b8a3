"""Networks are scored on the validation patches by the method's own sum."""

import pytest

from otosynth.methods import create_method
from otosynth.patches import patch_table
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.validation import validation_row


def test_networks_are_scored_by_the_method_s_own_sum(pairs, normalisation, tiny_settings):
    arithmetic = resolve_arithmetic("cpu", "float32", 1)
    reader = PatchReader(patch_table(pairs, 20, 0), pairs, normalisation, arithmetic)
    method = create_method(tiny_settings("multi_task"))
    rows = []
    for seed in (5, 10):
        networks = {name: network.eval() for name, network in method.build_networks(seed).items()}
        rows.append(validation_row(method, networks, reader))
    for row in rows:
        parts = 5 * row["validation_weighted_l1"] + 10 * row["validation_dice"]
        assert row["validation_score"] == pytest.approx(parts, rel=1e-6)
    assert rows[0]["validation_l1"] != rows[1]["validation_l1"], "other weights score otherwise"
