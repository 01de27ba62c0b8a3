"""On which device and in which precision a network computes."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
import torch.utils.deterministic
from torch import Tensor, nn

from otosynth.errors import InputError
from otosynth.training.convolutions import FastConvolutions
from otosynth.training.tensor_cores import TensorCoreConvolutions

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Arithmetic:
    """Device and precision of a training or of inference, the same from first to last step."""

    device: torch.device
    precision: Precision

    def describe(self) -> str:
        """Return where and how it computes, for the log."""
        if self.device.type != "cuda":
            return f"{self.precision} on {torch.get_num_threads()} CPU thread(s), {_visible_gpus()}"
        index = torch.cuda.current_device()
        name = torch.cuda.get_device_name(index)
        return f"{self.precision} on GPU {index} ({name}), {_visible_gpus()}"

    @contextmanager
    def for_networks(self) -> Iterator[None]:
        """Make the context in which networks run; weights and losses stay float32."""
        lower = self.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=lower), self._convolutions():
            yield

    def _convolutions(self) -> AbstractContextManager[object]:
        if self.device.type == "cuda":
            return TensorCoreConvolutions()
        return FastConvolutions() if self.precision == "float32" else nullcontext()

    def place_network(self, network: nn.Module) -> nn.Module:
        """Move a network to the device, in the layout that its convolutions are fast in."""
        # torch's stubs know `memory_format` for tensors only.
        return network.to(self.device, memory_format=self._layout())  # type: ignore[call-overload]

    def place(self, patch: Tensor) -> Tensor:
        """Move patches (batch, channel, z, y, x) to the device, float32 in the network's layout."""
        if self.device.type != "cuda":
            return patch.to(torch.float32, memory_format=self._layout())
        # On a stream of its own, from memory that the GPU reads itself: the patch comes while
        # a step is computed.
        coming, usual = _stream_of_patches(self.device), torch.cuda.current_stream(self.device)
        with torch.cuda.stream(coming):
            moved = patch.pin_memory().to(self.device, non_blocking=True)
            placed = moved.to(torch.float32, memory_format=self._layout())
        usual.wait_stream(coming)
        placed.record_stream(usual)
        return placed

    def together(self, patches: Sequence[Tensor]) -> Tensor:
        """Return placed patches as one, in the network's layout."""
        return torch.cat(tuple(patches)).contiguous(memory_format=self._layout())

    def _layout(self) -> torch.memory_format:
        # Tensor cores, and oneDNN in bfloat16, multiply vectors of channels.
        fast = self.device.type == "cuda" or self.precision == "bfloat16"
        return torch.channels_last_3d if fast else torch.contiguous_format


@cache
def _stream_of_patches(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


def _visible_gpus() -> str:
    return f"CUDA_VISIBLE_DEVICES {os.environ.get('CUDA_VISIBLE_DEVICES', 'not set')}"


@contextmanager
def tiny_numbers_as_zero() -> Iterator[None]:
    """Take numbers below 1e-38 for zero, on the CPU.

    After some epochs they arise in a training and made its step four times as slow on an Intel
    processor (docs/profile.md). Only while a training trains: scipy's code needs such numbers.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def resolve_arithmetic(device: str, precision: str, threads: int) -> Arithmetic:
    """Turn the configuration's `auto` into what this machine does well, deterministically.

    Parameters
    ----------
    device
        ``auto``, ``cpu`` or ``cuda``.
    precision
        ``auto``, ``float32`` or ``bfloat16``.
    threads
        Arithmetic threads on the CPU; results depend on it.

    Raises
    ------
    InputError
        If ``cuda`` is asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "The device is to be cuda, but this machine has no CUDA GPU: use `auto` or `cpu`, "
            "or run where there is one."
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    # cuBLAS repeats its results only with a fixed workspace; it reads this at its first call.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # The same as `use_deterministic_algorithms`, which imports the compiler for a second.
    torch.set_deterministic_debug_mode("error")
    # It would also fill all new memory, a quarter of a small network's time, which changes no
    # result of a program that reads only what it has written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_num_threads(threads)
    if precision == "auto":
        precision = "bfloat16" if has_fast_bfloat16(device) else "float32"
    # pydantic has checked the text; its type is lost on the way through Snakemake.
    return Arithmetic(torch.device(device), precision)  # type: ignore[arg-type]


def has_fast_bfloat16(device: str) -> bool:
    """Return whether networks run faster in bfloat16: on CUDA GPUs that have it, and with AMX.

    A CPU that multiplies bfloat16 by AVX-512 alone is slower at it than at float32, as
    ``for_networks`` computes convolutions (docs/profile.md).
    """
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))
