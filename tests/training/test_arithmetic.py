"""Device and precision are resolved once, and refused early where they cannot be had."""

import pytest
import torch

from otosynth.errors import InputError
from otosynth.training import convolutions
from otosynth.training.arithmetic import resolve_arithmetic, tiny_numbers_as_zero


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [({"avx512_bf16": True}, "float32"), ({"amx_bf16": True}, "bfloat16"), ({}, "float32")],
)
def test_auto_precision_follows_the_processor(monkeypatch, capabilities, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert resolve_arithmetic("cpu", "auto", 1).precision == precision


def test_threads_are_the_configured_ones():
    resolve_arithmetic("cpu", "float32", 2)
    assert torch.get_num_threads() == 2
    resolve_arithmetic("cpu", "float32", 1)
    assert torch.get_num_threads() == 1


def test_numbers_too_small_for_a_processor_s_fast_way_are_zero_for_a_while():
    with tiny_numbers_as_zero():
        assert (torch.tensor([1e-30]) * 1e-10).item() == 0
    assert (torch.tensor([1e-30]) * 1e-10).item() > 0


def test_networks_compute_in_the_resolved_precision():
    layer = torch.nn.Conv3d(1, 1, 3)
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        arithmetic = resolve_arithmetic("cpu", precision, 1)
        with arithmetic.for_networks():
            assert layer(torch.zeros(1, 1, 4, 4, 4)).dtype == dtype


def test_float32_on_a_cpu_takes_fast_convolutions(monkeypatch):
    monkeypatch.setattr(convolutions.OneDnnConvolution, "apply", lambda *_: torch.tensor(42.0))
    layer, patch = torch.nn.Conv3d(2, 1, 3), torch.zeros(1, 2, 8, 8, 8)
    with resolve_arithmetic("cpu", "float32", 1).for_networks():
        assert layer(patch) == 42
    with resolve_arithmetic("cpu", "bfloat16", 1).for_networks():
        assert layer(patch).shape == (1, 1, 6, 6, 6)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA GPU")
def test_cuda_without_a_gpu_is_refused():
    with pytest.raises(InputError, match="no CUDA GPU: use `auto` or `cpu`"):
        resolve_arithmetic("cuda", "auto", 1)
