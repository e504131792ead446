"""Products in half precision, everything else in single.

Rounding hurts where small differences are added up or lengths divided by: the recurrent state, the iterated
estimate, the orthonormal rotations, the camera. Products of weights tolerate it. So only weights become half,
and the type they have is the type they are multiplied in.
"""

from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn import functional

Precision = Literal["fp32", "fp16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x @ weight.T + bias` in the weights' type, given back in the input's."""
    return functional.linear(x.to(weight.dtype), weight, bias).to(x.dtype)


def with_products_in(network: nn.Module, precision: Precision) -> nn.Module:
    """Turns the weights of all layers that multiply into half, in place; buffers stay single."""
    if precision == "fp16":
        for module in network.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d, nn.GRU)):
                module.half()
    return network
