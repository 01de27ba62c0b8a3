"""Adam (Kingma & Ba 2015): the fused kernel of torch's own, without its wrapping.

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

    Parameters
    ----------
    parameters
        Of one device.
    rate
        The learning rate; an attribute that may be changed between steps.
    betas
        Decay of the mean and of the mean square of gradients.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], rate: float, betas: tuple[float, float]
    ) -> None:
        self.parameters = list(parameters)
        self.rate, self.betas = rate, betas
        # By a parameter's place, as soon as it has had a gradient.
        self.moments: dict[int, dict[str, Tensor]] = {}

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
        torch._fused_adam_(
            [parameter for _, parameter, _ in moved],
            [gradient for _, _, gradient in moved],
            means,
            squares,
            [],
            steps,
            lr=self.rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
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
