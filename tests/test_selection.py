"""The epoch with the lowest validation score is selected."""

import pandas as pd
import pytest

from otosynth.errors import InputError
from otosynth.methods import create_method
from otosynth.patches import patch_table
from otosynth.selection import select_epoch, validation_table
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.checkpoints import checkpoint_name, precision_of, write_checkpoint


@pytest.fixture
def reader(pairs, normalisation):
    arithmetic = resolve_arithmetic("cpu", "float32", 1)
    return PatchReader(patch_table(pairs, 20, 0), pairs, normalisation, arithmetic)


@pytest.fixture
def checkpoints(tmp_path, tiny_settings):
    method = create_method(tiny_settings("multi_task"))
    for epoch in (5, 10):
        networks = method.build_networks(epoch)
        facts = {"epoch": epoch, "precision": "float32"}
        write_checkpoint(tmp_path / checkpoint_name(epoch), networks, facts)
    return method, sorted(tmp_path.iterdir())


def test_every_checkpoint_is_scored_by_the_method_s_own_sum(reader, checkpoints):
    method, files = checkpoints
    table = validation_table(method, files, reader)
    assert list(table["epoch"]) == [5, 10]
    expected = 5 * table["weighted_l1"] + 10 * table["dice"]
    pd.testing.assert_series_equal(table["score"], expected, check_names=False)
    assert table["l1"].nunique() == 2, "different weights score differently"


def test_the_lowest_score_wins_and_ties_go_to_the_earliest():
    table = pd.DataFrame({"epoch": [5, 10, 15], "score": [2.0, 1.0, 1.0]})
    assert select_epoch(table) == 10


def test_epochs_that_only_prepare_the_networks_are_not_selected():
    table = pd.DataFrame({"epoch": [5, 10, 15], "score": [0.1, 1.0, 2.0]})
    assert select_epoch(table, first_epoch=6) == 10


def test_no_checkpoint_a_damaged_and_a_foreign_one_are_refused(reader, checkpoints, tiny_settings):
    method, files = checkpoints
    with pytest.raises(InputError, match="no checkpoint"):
        validation_table(method, [], reader)
    foreign = create_method(tiny_settings("multi_task", width=8))
    with pytest.raises(InputError, match="does not fit the configured networks"):
        validation_table(foreign, files, reader)
    files[0].write_bytes(files[0].read_bytes()[:100])
    with pytest.raises(InputError, match="not a readable checkpoint"):
        precision_of(files)
