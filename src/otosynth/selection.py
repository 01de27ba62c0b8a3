"""Which epoch is tested: the one with the lowest validation score (docs/method.md, section 8)."""

import pandas as pd

from otosynth.errors import InputError

# In a training's history what was seen in validation begins so; epochs with a checkpoint have it.
PREFIX = "validation_"
SCORE = f"{PREFIX}score"


def validation_table(history: pd.DataFrame) -> pd.DataFrame:
    """Return what a training's history says of validation.

    Parameters
    ----------
    history
        One row an epoch (:meth:`otosynth.training.trainer.Trainer.train`).

    Returns
    -------
    DataFrame
        One row a checkpoint, by epoch: every loss, and ``score``.

    Raises
    ------
    InputError
        If no epoch was scored.
    """
    columns = [name for name in history if name.startswith(PREFIX)]
    scored = history.dropna(subset=[SCORE]) if SCORE in columns else history[:0]
    if scored.empty:
        raise InputError("The training's history has no validation score to select an epoch by.")
    table = scored[["epoch", *columns]].rename(columns=lambda name: name.removeprefix(PREFIX))
    return table.reset_index(drop=True)


def select_epoch(validation: pd.DataFrame, first_epoch: int = 1) -> int:
    """Return the epoch with the lowest score; of equal ones the earliest.

    Parameters
    ----------
    first_epoch
        First epoch that may be selected.
    """
    selectable = validation[validation["epoch"] >= first_epoch]
    return int(selectable.loc[selectable["score"].idxmin(), "epoch"])
