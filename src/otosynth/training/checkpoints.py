"""Checkpoints of networks as safetensors: no pickle, same bytes for the same weights."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from otosynth.errors import InputError
from otosynth.files import write_bytes
from otosynth.methods.base import Method
from otosynth.provenance.carried import CHECKPOINT_KEY
from otosynth.training.arithmetic import Arithmetic

# Folder of the checkpoints within the folder of a training's state.
CHECKPOINTS = "checkpoints"


def checkpoint_name(epoch: int) -> str:
    """Return the file name of the checkpoint after ``epoch`` epochs."""
    return f"epoch-{epoch:04d}.safetensors"


def checkpoint_epoch(path: Path) -> int:
    """Return the number of epochs that a checkpoint file name tells."""
    return int(path.stem.removeprefix("epoch-"))


def selected_checkpoint(checkpoints: Path, selected: Path) -> Path:
    """Return the checkpoint in a folder that the choice of the epoch (``selected.json``) names."""
    return checkpoints / str(json.loads(selected.read_text(encoding="utf-8"))["checkpoint"])


def encode(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bytes:
    """Return tensors and facts as the bytes of a safetensors file."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save(contiguous, {CHECKPOINT_KEY: json.dumps(facts)})


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a safetensors file that ``encode`` made.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()[CHECKPOINT_KEY])
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a readable checkpoint ({error}).") from None
    return tensors, facts


def network_tensors(networks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Return all weights, named ``<network>.<parameter>``."""
    return {
        f"{name}.{key}": tensor
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }


def load_networks(networks: Mapping[str, nn.Module], tensors: Mapping[str, Tensor]) -> None:
    """Fill networks with the weights that ``network_tensors`` gave."""
    for name, network in networks.items():
        prefix = f"{name}."
        network.load_state_dict(
            {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        )


def write_checkpoint(
    path: Path, networks: Mapping[str, nn.Module], facts: Mapping[str, Any]
) -> str:
    """Write the weights of all networks, with facts such as epoch and precision.

    Returns
    -------
    str
        SHA-256 of the file, hexadecimal.
    """
    data = encode(network_tensors(networks), facts)
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def read_checkpoint(path: Path, networks: Mapping[str, nn.Module]) -> dict[str, Any]:
    """Fill the networks from a checkpoint and return its facts.

    Raises
    ------
    InputError
        If the file is missing, damaged, or of networks of other sizes.
    """
    tensors, facts = read_tensors(path)
    try:
        load_networks(networks, tensors)
    except RuntimeError as error:
        raise InputError(f"{path}: does not fit the configured networks ({error}).") from None
    for network in networks.values():
        network.eval()
    return facts


def precision_of(checkpoints: Sequence[Path]) -> str:
    """Return the precision that a training was resolved to, from its checkpoints' facts.

    Raises
    ------
    InputError
        If there is no checkpoint, or the first is damaged.
    """
    if not checkpoints:
        raise InputError("There is no checkpoint to read.")
    return str(read_tensors(checkpoints[0])[1]["precision"])


def load_trained(method: Method, checkpoint: Path, arithmetic: Arithmetic) -> dict[str, nn.Module]:
    """Return a method's networks with the weights of a checkpoint, ready to predict.

    Raises
    ------
    InputError
        As ``read_checkpoint``.
    """
    # The weights are overwritten, so the seed that first fills them does not matter.
    networks = method.build_networks(seed=0)
    read_checkpoint(checkpoint, networks)
    return {name: arithmetic.place_network(network) for name, network in networks.items()}
