"""Joint confidence: how reliable each joint's rotation is, by the visibility of the landmarks that show it.

Legend: 33 BlazePose landmarks; 24 SMPL joints.
"""

import numpy as np

from realtime_vibe.packets import NUM_SMPL_JOINTS, FloatArray

_HIDDEN, _SHOWN = 0.1, 0.5
"""Visibility below which a joint is held, and from which it is believed.

Half of the elbows and wrists of people seen from the side lie between 0.05 and 0.4.
"""
_ANKLES = (27, 28)
_SHOWN_BY = {
    # SMPL joint: landmarks at the far end of the bone that it turns (left, then right)
    1: (25,),
    2: (26,),
    4: (27,),
    5: (28,),
    7: (29, 31),
    8: (30, 32),
    16: (13,),
    17: (14,),
    18: (15,),
    19: (16,),
    20: (17, 19, 21),
    21: (18, 20, 22),
    22: (17, 19, 21),
    23: (18, 20, 22),
}


def _matrix() -> FloatArray:
    shares = np.zeros((NUM_SMPL_JOINTS, 33), np.float32)
    for joint, landmarks in _SHOWN_BY.items():
        shares[joint, list(landmarks)] = 1.0 / len(landmarks)
    return shares


_SHARES = _matrix()
_ALWAYS = np.array([float(joint not in _SHOWN_BY) for joint in range(NUM_SMPL_JOINTS)], np.float32)


def joint_confidence(visibility: FloatArray) -> FloatArray:
    """(24,) in [0, 1] from `visibility` (33,); root, spine and head, which many landmarks show, are always believed."""
    seen = _ALWAYS + _SHARES @ visibility
    return np.clip((seen - _HIDDEN) / (_SHOWN - _HIDDEN), 0.0, 1.0)


def feet_are_seen(visibility: FloatArray) -> bool:
    """Whether both ankles are in view, by `visibility` (33,) in [0, 1]."""
    return bool(visibility[list(_ANKLES)].min() > _SHOWN)
