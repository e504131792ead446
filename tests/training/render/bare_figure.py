"""The body as a figure to render, without clothes and hair."""

import numpy as np

from realtime_vibe.training.render.figure import _joined, _shaped


def bare_figure(body, betas):
    return _joined(body, _shaped(body, betas, np.random.default_rng(0)), [])
