"""YOLOv3 and YOLOv3-tiny (Redmon & Farhadi 2018), and the person detector that is exported from them.

Legend: B images, S side of the input [px], A anchors of all maps together, H and W cells of a map.
Batch norm has no layers here: the reader of weights folds it into the convolutions.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.yolov3_layers import (
    ANCHORS_PER_CELL,
    BOX_VALUES,
    HEAD_CHANNELS,
    PERSON_CLASS,
    Architecture,
    Convolution,
    Detection,
    Layer,
    MaxPool,
    Route,
    Shortcut,
    Upsample,
    place,
)
from realtime_vibe.errors import ExportError
from realtime_vibe.models.precision import Precision, with_products_in

COARSEST_STRIDE = 32
DEFAULT_SIZE = 416
_LEAK = 0.1
_PERSON_VALUES = BOX_VALUES + 1


class YoloV3(nn.Module):
    """The network, as its table has it; `head_channels` is what a detection layer gives."""

    def __init__(self, architecture: Architecture, head_channels: int = HEAD_CHANNELS) -> None:
        super().__init__()
        self.architecture = architecture
        self.convolutions = nn.ModuleList(
            nn.Conv2d(
                inputs,
                head_channels if layer.is_head else layer.filters,
                layer.size,
                layer.stride,
                padding=layer.size // 2,
            )
            for layer, inputs in architecture.convolutions
        )

    def with_weights(self) -> Iterator[tuple[Convolution, nn.Conv2d]]:
        """The layers of the table that have weights, each beside its own; in the order of a file."""
        for (layer, _), module in zip(
            self.architecture.convolutions, self.convolutions, strict=True
        ):
            assert isinstance(module, nn.Conv2d)
            yield layer, module

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, S, S) to one raw map (B, head channels, H, W) per detection layer, coarsest first.

        RGB in [0, 1]; S is a multiple of 32.
        """
        convolutions = iter(self.convolutions)
        results: list[Tensor] = []
        x = images
        for layer in self.architecture.layers:
            if isinstance(layer, Convolution):
                x = next(convolutions)(x)
                x = x if layer.is_head else functional.leaky_relu(x, _LEAK)
            else:
                x = _without_weights(layer, x, results)
            results.append(x)
        layers = zip(self.architecture.layers, results, strict=True)
        return tuple(result for layer, result in layers if isinstance(layer, Detection))


def _without_weights(layer: Layer, x: Tensor, results: list[Tensor]) -> Tensor:
    match layer:
        case MaxPool():
            # Darknet pads right and below with what never wins; repeating the edge never wins either.
            padded = functional.pad(x, (0, 1, 0, 1), mode="replicate") if layer.stride == 1 else x
            return functional.max_pool2d(padded, 2, layer.stride)
        case Shortcut():
            return x + results[-layer.back]
        case Route():
            joined = [results[place(source, len(results))] for source in layer.sources]
            return torch.cat(joined, dim=1) if len(joined) > 1 else joined[0]
        case Upsample():
            return functional.interpolate(x, scale_factor=2.0, mode="nearest")
        case _:
            return x


class PersonDetection(nn.Module):
    """What is exported: a letterboxed picture of S px to boxes and the chance that each holds a person.

    The first convolution takes BGR bytes and the heads give no class but the person, so that neither
    costs a step of its own. Boxes are always computed in float32.

    Raises:
        ExportError: the size is no multiple of 32.
    """

    def __init__(
        self, network: YoloV3, size: int = DEFAULT_SIZE, precision: Precision = "fp32"
    ) -> None:
        super().__init__()
        if size < COARSEST_STRIDE or size % COARSEST_STRIDE:
            raise ExportError(
                f"an input of {size} px does not fit the network: expected a multiple of "
                f"{COARSEST_STRIDE}, such as 320, 416 or 608"
            )
        self.network = with_products_in(_for_people(network), precision)
        self.decoders = nn.ModuleList(
            BoxDecoder(layer.anchors, size)
            for layer in network.architecture.layers
            if isinstance(layer, Detection)
        )

    def forward(self, image_bgr: Tensor) -> tuple[Tensor, Tensor]:
        """(1, S, S, 3) uint8 to boxes (1, A, 4) and scores (1, A).

        A box is x1, y1, x2, y2 in crop coordinates [0, 1] and may leave them. The score is the product
        of objectness and the person's probability (Redmon & Farhadi 2018, sec. 2.1 and 2.2).
        """
        dtype = next(self.network.parameters()).dtype
        maps = self.network(image_bgr.permute(0, 3, 1, 2).to(dtype))
        decoded = [decode(raw) for decode, raw in zip(self.decoders, maps, strict=True)]
        boxes, scores = zip(*decoded, strict=True)
        return torch.cat(boxes, dim=1), torch.cat(scores, dim=1)


class BoxDecoder(nn.Module):
    """Reads the boxes of a raw map (Redmon & Farhadi 2018, sec. 2.1); anchors in px of the input."""

    def __init__(self, anchors: tuple[tuple[int, int], ...], size: int) -> None:
        super().__init__()
        half = torch.tensor(anchors, dtype=torch.float32) / (2 * size)
        self.register_buffer("half_anchors", half.view(1, ANCHORS_PER_CELL, 2, 1, 1))

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3 x 6, H, W) to boxes (B, 3 H W, 4) in crop coordinates and scores (B, 3 H W)."""
        side = raw.shape[-1]
        values = raw.float().unflatten(1, (ANCHORS_PER_CELL, _PERSON_VALUES))
        line = torch.arange(side, dtype=torch.float32, device=raw.device)
        corners = torch.stack(torch.meshgrid(line, line, indexing="xy"))
        centers = (values[:, :, :2].sigmoid() + corners) / side
        halves = values[:, :, 2:4].exp() * self.half_anchors
        boxes = torch.cat([centers - halves, centers + halves], dim=2)
        scores = values[:, :, 4].sigmoid() * values[:, :, BOX_VALUES].sigmoid()
        return boxes.movedim(2, -1).flatten(1, 3), scores.flatten(1)


def _for_people(network: YoloV3) -> YoloV3:
    """A copy for BGR bytes that knows no class but the person."""
    copy = YoloV3(network.architecture, ANCHORS_PER_CELL * _PERSON_VALUES)
    kept = torch.tensor([*range(BOX_VALUES), BOX_VALUES + PERSON_CLASS])
    pairs = zip(copy.with_weights(), network.with_weights(), strict=True)
    with torch.no_grad():
        for number, ((layer, target), (_, source)) in enumerate(pairs):
            weight, bias = source.weight, source.bias
            assert bias is not None
            if number == 0:
                weight = weight.flip(1) / 255
            if layer.is_head:
                weight = weight.unflatten(0, (ANCHORS_PER_CELL, -1))[:, kept].flatten(0, 1)
                bias = bias.unflatten(0, (ANCHORS_PER_CELL, -1))[:, kept].flatten()
            target.load_state_dict({"weight": weight, "bias": bias})
    return copy
