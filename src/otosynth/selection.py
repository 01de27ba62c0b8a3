"""Which epoch is tested: the one with the lowest validation score (docs/method.md, section 8)."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from otosynth.errors import InputError
from otosynth.methods.base import Method, Networks
from otosynth.training.batches import PatchReader
from otosynth.training.checkpoints import checkpoint_epoch, load_trained


def validation_table(
    method: Method, checkpoints: Sequence[Path], reader: PatchReader
) -> pd.DataFrame:
    """Score every checkpoint on the validation patches.

    Parameters
    ----------
    method
        The method that was trained.
    checkpoints
        Files ``epoch-<n>.safetensors``.
    reader
        The validation specimens' patches; its arithmetic is used.

    Returns
    -------
    DataFrame
        One row a checkpoint, by epoch: the mean of each loss over the patches, and ``score``,
        the method's own sum. Perception uses that epoch's own D.

    Raises
    ------
    InputError
        If there is no checkpoint, or one does not fit the networks.
    """
    if not checkpoints:
        raise InputError("There is no checkpoint to select from.")
    rows = []
    for path in sorted(checkpoints):
        networks = load_trained(method, path, reader.arithmetic)
        losses = mean_losses(method, networks, reader)
        score = method.validation_score(losses)
        rows.append({"epoch": checkpoint_epoch(path), **losses, "score": score})
    return pd.DataFrame(rows)


def mean_losses(method: Method, networks: Networks, reader: PatchReader) -> dict[str, float]:
    """Return the mean of each validation loss over a reader's patches."""
    sums: dict[str, float] = {}
    with torch.inference_mode(), reader.arithmetic.for_networks():
        for index in range(len(reader)):
            losses = method.validation_losses(networks, reader.read(index))
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0.0) + float(loss)
    return {name: total / len(reader) for name, total in sums.items()}


def select_epoch(validation: pd.DataFrame, first_epoch: int = 1) -> int:
    """Return the epoch with the lowest score; of equal ones the earliest.

    Parameters
    ----------
    first_epoch
        First epoch that may be selected.
    """
    selectable = validation[validation["epoch"] >= first_epoch]
    return int(selectable.loc[selectable["score"].idxmin(), "epoch"])
