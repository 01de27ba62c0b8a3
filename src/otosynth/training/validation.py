"""How well networks do on the validation specimens, seen whenever a checkpoint is written."""

import torch

from otosynth.methods.base import Method, Networks
from otosynth.selection import PREFIX, SCORE
from otosynth.training.batches import PatchReader


def validation_row(method: Method, networks: Networks, reader: PatchReader) -> dict[str, float]:
    """Score networks on the validation patches.

    Parameters
    ----------
    method, networks
        What is trained, in evaluation mode.
    reader
        The validation specimens' patches; its arithmetic is used.

    Returns
    -------
    dict
        ``validation_<loss>``: the mean of each loss over the patches; ``validation_score``: the
        method's own sum of them. Perception uses these networks' own D.
    """
    sums: dict[str, float] = {}
    with torch.inference_mode(), reader.arithmetic.for_networks():
        for index in range(len(reader)):
            losses = method.validation_losses(networks, reader.read(index))
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0.0) + float(loss)
    means = {name: total / len(reader) for name, total in sums.items()}
    row = {f"{PREFIX}{name}": value for name, value in means.items()}
    return row | {SCORE: method.validation_score(means)}
