"""Adam (Kingma & Ba 2015) and AdamW: the fused kernels of torch's own, without their wrapping.

``torch.optim.Adam`` imports torch's compiler when it is made, which takes a second or two of every
training's start, and which nothing here uses.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

STEP, MEAN, SQUARE = "step", "exp_avg", "exp_avg_sq"
EPSILON = 1e-8


class Adam:
    """Moves parameters by their gradients; the same bits as ``torch.optim.Adam(fused=True)``.

    With a decay of the weights the same bits as ``torch.optim.AdamW(fused=True)``.

    Parameters
    ----------
    parameters
        Of one device.
    rate
        The learning rate; ``set_rate`` changes it between steps.
    betas
        Decay of the mean and of the mean square of gradients.
    weight_decay
        Decoupled decay of the weights (Loshchilov 2019).
    rate_on_device
        Whether the kernel reads the rate from the device's memory, so that a captured step can be
        replayed at another rate.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        rate: float,
        betas: tuple[float, float],
        weight_decay: float = 0.0,
        rate_on_device: bool = False,
    ) -> None:
        self.parameters = list(parameters)
        self.rate: float | Tensor = rate
        if rate_on_device:
            self.rate = torch.tensor(rate, device=self.parameters[0].device)
        self.betas, self.weight_decay = betas, weight_decay
        # By a parameter's place, as soon as it has had a gradient.
        self.moments: dict[int, dict[str, Tensor]] = {}

    def set_rate(self, rate: float) -> None:
        """Go on with another learning rate."""
        if isinstance(self.rate, Tensor):
            self.rate.fill_(rate)
        else:
            self.rate = rate

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        moved = [(i, p, p.grad) for i, p in enumerate(self.parameters) if p.grad is not None]
        if not moved:
            return
        moments = [self._moments(index, parameter) for index, parameter, _ in moved]
        means, squares, steps = ([m[key] for m in moments] for key in (MEAN, SQUARE, STEP))
        torch._foreach_add_(steps, 1)
        move = torch._fused_adamw_ if self.weight_decay else torch._fused_adam_
        move(
            [parameter for _, parameter, _ in moved],
            [gradient for _, _, gradient in moved],
            means,
            squares,
            [],
            steps,
            # Either kind of rate has an overload of its own in torch's stubs.
            lr=self.rate,  # type: ignore[arg-type]
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=self.weight_decay,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def _moments(self, index: int, parameter: Tensor) -> dict[str, Tensor]:
        if index not in self.moments:
            self.moments[index] = {
                STEP: torch.zeros((), device=parameter.device),
                MEAN: torch.zeros_like(parameter),
                SQUARE: torch.zeros_like(parameter),
            }
        return self.moments[index]

    def tensors(self) -> dict[str, Tensor]:
        """Return all moments, named ``<place of the parameter>.<moment>``."""
        return {
            f"{index}.{key}": tensor
            for index, moments in self.moments.items()
            for key, tensor in moments.items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from moments that ``tensors`` gave."""
        self.moments = {}
        for name, tensor in tensors.items():
            index, key = name.split(".")
            parameter = self.parameters[int(index)]
            # The kernel walks weights and moments by their place in memory, so moments must be laid
            # out like their weights, which may be channels-last.
            like = torch.empty((), device=parameter.device) if key == STEP else parameter
            moment = torch.empty_like(like, requires_grad=False).copy_(tensor)
            self.moments.setdefault(int(index), {})[key] = moment
