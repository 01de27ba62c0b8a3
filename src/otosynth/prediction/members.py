"""One training as a member of a model: its facts, and the weights that a prediction needs."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from otosynth.files import sha256_of
from otosynth.methods.base import CtPatch, Method
from otosynth.normalisation import Normalisation
from otosynth.prediction.model import MemberFacts
from otosynth.priors import FILES
from otosynth.training.checkpoints import checkpoint_epoch, read_tensors


def member_of(
    checkpoint: Path,
    group: str,
    seed: int,
    training: Sequence[str],
    validation: Sequence[str],
    windows: Normalisation,
    used: tuple[str, ...],
    temperature: float = 1.0,
) -> tuple[MemberFacts, dict[str, Tensor]]:
    """Return a training's facts and weights.

    Parameters
    ----------
    checkpoint
        Of the epoch that predicts.
    group, seed
        Of the training.
    training, validation
        Its ears.
    windows
        How its intensities were scaled.
    used
        The networks that a prediction runs (:func:`networks_used`); no others are kept.
    temperature
        Of its confidence.

    Raises
    ------
    InputError
        If the checkpoint cannot be read.
    """
    tensors, said = read_tensors(checkpoint)
    facts = MemberFacts(
        group=group,
        seed=seed,
        epoch=checkpoint_epoch(checkpoint),
        precision=said["precision"],
        training=tuple(training),
        validation=tuple(validation),
        networks=used,
        normalisation={"ct": vars(windows.ct), "microct": vars(windows.microct)},
        checkpoint_sha256=sha256_of(checkpoint),
        temperature=temperature,
    )
    return facts, {n: t for n, t in tensors.items() if n.split(".")[0] in used}


def networks_used(method: Method) -> tuple[str, ...]:
    """Return the names of the networks that a method's prediction runs.

    Discriminators, and what only training needs, are found by not being asked for.
    """
    settings = method.settings
    multiple = settings.patch_multiple
    edge = -(-max(settings.smallest_patch, multiple) // multiple) * multiple
    networks = _Noted(method.build_networks(seed=0))
    for network in networks.values():
        network.eval()
    nothing = torch.zeros(1, 1, edge, edge, edge)
    kind = settings.prior_kind
    channels = len(FILES[kind]) if kind else 0
    prior = nothing.expand(-1, channels, -1, -1, -1) if channels else None
    networks.asked.clear()
    with torch.inference_mode():
        method.predict(networks, CtPatch(nothing, torch.ones_like(nothing), prior))
    return tuple(sorted(networks.asked))


class _Noted(Mapping[str, nn.Module]):
    """Networks that note which of them are asked for."""

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        self._networks = networks
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> nn.Module:
        self.asked.add(name)
        return self._networks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._networks)

    def __len__(self) -> int:
        return len(self._networks)
