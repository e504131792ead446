"""Writes files in Darknet's formats: `.weights` of full size with random numbers, and the `.cfg`.

Numbers keep a sane size through all layers, variances of the batch norm run over three decades as in
trained networks, and hardly any anchor is taken for a person.
"""

import numpy as np

from export.yolov3_layers import (
    ANCHORS_PER_CELL,
    BOX_VALUES,
    NUM_CLASSES,
    YOLOV3,
    YOLOV3_TINY,
    Convolution,
    Detection,
    MaxPool,
    Route,
    Shortcut,
    Upsample,
    place,
)

OBJECTNESS_BIAS = -4.0
_HEADER = (0, 2, 0)
_IMAGES_SEEN = 32_013_312
_PICTURE = 0.5, 0.3
"""Mean and mean square of an input in [0, 1]."""
_ACTIVATED = 0.5, 1.0
"""The same after a leaky ReLU, of normally distributed numbers of mean square two."""
_POOLED_POWER = 1.4
"""The largest of four neighbours against any of them; neighbours are alike."""


def write_yolo_weights(path, *, tiny, seed=0):
    """Writes `yolov3.weights` (248 MB) or `yolov3-tiny.weights` (35 MB)."""
    rng = np.random.default_rng(seed)
    with path.open("wb") as file:
        file.write(np.array(_HEADER, "<i4").tobytes())
        file.write(np.array(_IMAGES_SEEN, "<i8").tobytes())
        for numbers in layer_numbers(architecture_of(tiny=tiny), rng):
            file.write(numbers.astype("<f4").tobytes())


def architecture_of(*, tiny):
    return YOLOV3_TINY if tiny else YOLOV3


def layer_numbers(architecture, rng):
    """The numbers of each convolution in the file's order.

    `moments` follows mean and mean square of what every layer gives: the scale of the next layer's
    weights and its batch statistics follow from them.
    """
    moments = []
    channels = (*architecture.channels, 3)
    for number, layer in enumerate(architecture.layers):
        mean, power = moments[-1] if moments else _PICTURE
        match layer:
            case Convolution(is_head=True):
                yield _head(layer, channels[number - 1], power, rng)
                moments.append((0.0, 1.0))
            case Convolution():
                yield _batch_normed(layer, channels[number - 1], power, rng)
                moments.append(_ACTIVATED)
            case MaxPool():
                moments.append((mean, _POOLED_POWER * power))
            case Shortcut():
                other_mean, other_power = moments[-layer.back]
                moments.append((mean + other_mean, power + other_power + 2 * mean * other_mean))
            case Route():
                sources = [place(source, number) for source in layer.sources]
                shares = [channels[source] for source in sources]
                joined = np.average([moments[source] for source in sources], axis=0, weights=shares)
                moments.append(tuple(joined))
            case _:
                moments.append((mean, power))


def _batch_normed(layer, inputs, power, rng):
    count, fan_in = layer.filters, inputs * layer.size**2
    variance = 10.0 ** rng.uniform(-3, 0, count)
    mean = 0.3 * np.sqrt(variance) * rng.standard_normal(count)
    gamma = rng.uniform(0.7, 1.3, count)
    beta = 0.1 * rng.standard_normal(count)
    # After the leaky ReLU half of the power is left; it should be one.
    gamma /= np.sqrt(0.505 * np.mean(gamma**2 * (1.0 + mean**2 / variance) + beta**2))
    weights = rng.standard_normal((count, fan_in), np.float32)
    weights *= np.sqrt(variance / (fan_in * power))[:, None].astype(np.float32)
    return np.concatenate([beta, gamma, mean, variance, weights.ravel()], dtype=np.float32)


def _head(layer, inputs, power, rng):
    bias = np.zeros((ANCHORS_PER_CELL, BOX_VALUES + NUM_CLASSES))
    bias[:, BOX_VALUES - 1] = OBJECTNESS_BIAS
    weights = rng.standard_normal((layer.filters, inputs)) / np.sqrt(inputs * power)
    return np.concatenate([bias.ravel(), weights.ravel()], dtype=np.float32)


def cfg_text(architecture, size=416):
    """The architecture as Darknet's configuration."""
    sections = [f"[net]\nwidth={size}\nheight={size}\nchannels=3"]
    sections += [_section(layer) for layer in architecture.layers]
    return "\n\n".join(sections) + "\n"


def _section(layer):
    match layer:
        case Convolution():
            kind = "activation=linear" if layer.is_head else "batch_normalize=1\nactivation=leaky"
            return (
                f"[convolutional]\nfilters={layer.filters}\nsize={layer.size}\n"
                f"stride={layer.stride}\npad=1\n{kind}"
            )
        case MaxPool():
            return f"[maxpool]\nsize=2\nstride={layer.stride}"
        case Shortcut():
            return f"[shortcut]\nfrom=-{layer.back}\nactivation=linear"
        case Route():
            return "[route]\nlayers=" + ",".join(str(source) for source in layer.sources)
        case Upsample():
            return "[upsample]\nstride=2"
        case Detection():
            anchors = ", ".join(f"{width},{height}" for width, height in layer.anchors)
            return f"[yolo]\nmask=0,1,2\nanchors={anchors}\nclasses={NUM_CLASSES}\nnum=3"
