"""The layers of YOLOv3 and YOLOv3-tiny in Darknet's order, as one table.

The network, the reader of weight files and the count of their floats all follow this table, so that
they cannot disagree. Darknet counts every entry as a layer, also those without weights (Redmon &
Farhadi 2018, "YOLOv3: An Incremental Improvement", table 1 and sec. 2.3).
"""

from dataclasses import dataclass

NUM_CLASSES = 80
PERSON_CLASS = 0
"""Of COCO's 80, in Darknet's order."""
BOX_VALUES = 5
"""x, y, width, height and objectness, before the classes."""
ANCHORS_PER_CELL = 3
HEAD_CHANNELS = ANCHORS_PER_CELL * (BOX_VALUES + NUM_CLASSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """Padded by half its size; with batch norm and a leaky ReLU unless it is a head."""

    filters: int
    size: int
    stride: int = 1
    is_head: bool = False
    """Linear and with a bias instead of batch norm: what a detection is read from."""

    def num_floats(self, inputs: int) -> int:
        """How many numbers a weights file holds for this layer of so many input channels."""
        return self.filters * (inputs * self.size**2 + (1 if self.is_head else 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool:
    """Two by two; with stride 1 the last row and column look at themselves."""

    stride: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """Adds the layer `back` places before this one to the previous layer."""

    back: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Joins the channels of earlier layers: counted from here if negative, else by number."""

    sources: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upsample:
    """Doubles width and height by repetition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Hands the previous layer out as one of the network's results."""

    anchors: tuple[tuple[int, int], ...]
    """Width and height [px of the network's input] of the box each of the three starts from."""


Layer = Convolution | MaxPool | Shortcut | Route | Upsample | Detection


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One variant of the network."""

    name: str
    layers: tuple[Layer, ...]

    @property
    def channels(self) -> tuple[int, ...]:
        """What each layer gives."""
        found: list[int] = []
        for number, layer in enumerate(self.layers):
            match layer:
                case Convolution():
                    found.append(layer.filters)
                case Route():
                    found.append(sum(found[place(source, number)] for source in layer.sources))
                case _:
                    found.append(found[-1])
        return tuple(found)

    @property
    def convolutions(self) -> tuple[tuple[Convolution, int], ...]:
        """The layers with weights, each with the number of channels it takes."""
        given = (*self.channels, 3)  # the image's at -1, before the first layer
        return tuple(
            (layer, given[number - 1])
            for number, layer in enumerate(self.layers)
            if isinstance(layer, Convolution)
        )

    @property
    def num_floats(self) -> int:
        """How many numbers a weights file holds after its header."""
        return sum(layer.num_floats(inputs) for layer, inputs in self.convolutions)


def place(source: int, number: int) -> int:
    """The layer that a route in layer `number` means by `source`."""
    return number + source if source < 0 else source


def _residual(filters: int, times: int) -> tuple[Layer, ...]:
    block = (
        Convolution(filters=filters // 2, size=1),
        Convolution(filters=filters, size=3),
        Shortcut(),
    )
    return (Convolution(filters=filters, size=3, stride=2), *(block * times))


def _head(*anchors: tuple[int, int]) -> tuple[Layer, ...]:
    return (
        Convolution(filters=HEAD_CHANNELS, size=1, is_head=True),
        Detection(anchors=anchors),
    )


def _neck(filters: int) -> tuple[Layer, ...]:
    pair = (Convolution(filters=filters, size=1), Convolution(filters=2 * filters, size=3))
    return pair * 3


def _finer(filters: int, back: int, skip: int) -> tuple[Layer, ...]:
    """From `back` layers ago to twice the resolution, joined with backbone layer `skip`."""
    return (
        Route(sources=(-back,)),
        Convolution(filters=filters, size=1),
        Upsample(),
        Route(sources=(-1, skip)),
    )


YOLOV3 = Architecture(
    name="yolov3",
    layers=(
        Convolution(filters=32, size=3),
        *_residual(64, 1),
        *_residual(128, 2),
        *_residual(256, 8),
        *_residual(512, 8),
        *_residual(1024, 4),
        *_neck(512),
        *_head((116, 90), (156, 198), (373, 326)),
        *_finer(256, back=4, skip=61),
        *_neck(256),
        *_head((30, 61), (62, 45), (59, 119)),
        *_finer(128, back=4, skip=36),
        *_neck(128),
        *_head((10, 13), (16, 30), (33, 23)),
    ),
)

_TINY_BACKBONE = tuple(
    layer
    for filters in (16, 32, 64, 128, 256)
    for layer in (Convolution(filters=filters, size=3), MaxPool(stride=2))
)

YOLOV3_TINY = Architecture(
    name="yolov3-tiny",
    layers=(
        *_TINY_BACKBONE,
        Convolution(filters=512, size=3),
        MaxPool(stride=1),
        Convolution(filters=1024, size=3),
        Convolution(filters=256, size=1),
        Convolution(filters=512, size=3),
        *_head((81, 82), (135, 169), (344, 319)),
        *_finer(128, back=4, skip=8),
        Convolution(filters=256, size=3),
        # The later .cfg of Darknet says (10, 14), (23, 27), (37, 58) here, but the published weights
        # were trained before, with these (pjreddie/darknet#851).
        *_head((23, 27), (37, 58), (81, 82)),
    ),
)

ARCHITECTURES = (YOLOV3, YOLOV3_TINY)
