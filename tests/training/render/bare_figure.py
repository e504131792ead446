"""The body as a figure to render, without clothes and hair."""

import numpy as np

from realtime_vibe.training.render.clothing import Cover
from realtime_vibe.training.render.figure import _joined, _shaped


def bare_figure(body, betas):
    shape = _shaped(body, betas, np.random.default_rng(0))
    return _joined(body, shape, Cover.bare(len(shape.vertices)), [])
