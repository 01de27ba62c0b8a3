"""Checkpoints that cannot be used are refused."""

import pytest

from otosynth.errors import InputError
from otosynth.methods import create_method
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.checkpoints import (
    checkpoint_name,
    load_trained,
    precision_of,
    write_checkpoint,
)


def test_a_damaged_and_a_foreign_checkpoint_are_refused(tmp_path, tiny_settings):
    networks = create_method(tiny_settings("multi_task")).build_networks(1)
    path = tmp_path / checkpoint_name(5)
    write_checkpoint(path, networks, {"epoch": 5, "precision": "float32"})
    foreign = create_method(tiny_settings("multi_task", width=8))
    with pytest.raises(InputError, match="does not fit the configured networks"):
        load_trained(foreign, path, resolve_arithmetic("cpu", "float32", 1))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="not a readable checkpoint"):
        precision_of([path])
