"""Processes that train one model together, data-parallel, each on its own device."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Team:
    """The processes of one training. Each takes one patch a step, so ``size`` is the batch.

    All start from the same weights and step by the same mean gradient, so their weights stay
    equal bit for bit, and the leader alone writes files.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the state, the checkpoints and the log."""
        return self.rank == 0

    def average_gradients(self, networks: Iterable[nn.Module]) -> None:
        """Replace every gradient by its mean over the processes."""
        if self.size == 1:
            return
        gradients = [
            p.grad for network in networks for p in network.parameters() if p.grad is not None
        ]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(together)
        together /= self.size
        parts = together.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def average(self, losses: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the mean of each loss over the processes."""
        values = torch.stack(list(losses.values()))
        if self.size > 1:
            dist.all_reduce(values)
            values = values / self.size
        return dict(zip(losses, values.tolist(), strict=True))

    def largest(self, number: int, device: torch.device) -> int:
        """Return the largest of the processes' numbers, so that all act alike."""
        if self.size == 1:
            return number
        value = torch.tensor(number, device=device)
        dist.all_reduce(value, dist.ReduceOp.MAX)
        return int(value)

    def wait_for_all(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def join_team(size: int) -> Iterator[Team]:
    """Join the processes that torch's launcher started; alone if ``size`` is 1.

    NCCL connects CUDA GPUs, one to a process; Gloo connects CPUs.
    """
    if size == 1:
        yield Team()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(_local_rank() % torch.cuda.device_count())
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def _local_rank() -> int:
    # One launcher a node counts its own processes; one launcher a Slurm task counts tasks.
    return int(os.environ["LOCAL_RANK"]) + int(os.environ.get("SLURM_LOCALID", "0"))
