"""The epoch with the lowest validation score is selected."""

import pandas as pd
import pytest

from otosynth.errors import InputError
from otosynth.selection import select_epoch, validation_table

HISTORY = pd.DataFrame({
    "epoch": [1, 2, 3, 4],
    "dice": [0.9, 0.8, 0.7, 0.6],
    "validation_dice": [None, 0.5, None, 0.4],
    "validation_score": [None, 5.0, None, 4.0],
})  # fmt: skip


def test_the_table_has_a_row_a_checkpoint_and_no_training_losses():
    table = validation_table(HISTORY)
    expected = pd.DataFrame({"epoch": [2, 4], "dice": [0.5, 0.4], "score": [5.0, 4.0]})
    pd.testing.assert_frame_equal(table, expected)


@pytest.mark.parametrize("history", [HISTORY[["epoch", "dice"]], HISTORY[:1]])
def test_a_history_without_validation_is_refused(history):
    with pytest.raises(InputError, match="no validation score"):
        validation_table(history)


def test_the_lowest_score_wins_and_ties_go_to_the_earliest():
    table = pd.DataFrame({"epoch": [5, 10, 15], "score": [2.0, 1.0, 1.0]})
    assert select_epoch(table) == 10


def test_epochs_that_only_prepare_the_networks_are_not_selected():
    table = pd.DataFrame({"epoch": [5, 10, 15], "score": [0.1, 1.0, 2.0]})
    assert select_epoch(table, first_epoch=6) == 10
