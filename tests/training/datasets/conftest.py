"""Small files in the layouts of the datasets."""

import numpy as np
import pytest

STANDING = (np.pi / 2, 0.0, 0.0)
"""Root of a standing body [rad]: SMPL's y up becomes the world's z."""


def amass_arrays(frames=120, rate=120.0, width=156):
    """A body that stands, waves its left leg and walks along x."""
    time_s = np.arange(frames) / rate
    poses = np.zeros((frames, width))
    poses[:, :3] = STANDING
    poses[:, 3] = 0.5 * np.sin(2 * time_s)
    poses[:, 66:] = 0.2
    return {
        "poses": poses,
        "trans": np.stack([time_s, 0 * time_s, 0.9 + 0 * time_s], -1),
        "betas": np.linspace(-1, 1, 16),
        "gender": np.array("female"),
    }


@pytest.fixture
def write_smplh():
    """Writes an SMPL-H motion; keywords replace arrays, None leaves them out."""

    def write(path, frames=120, rate=120.0, **changes):
        content = {
            **amass_arrays(frames, rate),
            "mocap_framerate": np.array(rate),
            "dmpls": np.zeros((frames, 8)),
            **changes,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{key: value for key, value in content.items() if value is not None})
        return path

    return write


@pytest.fixture
def write_smplx():
    """Writes a SMPL-X ("stage II") motion with the members that the owner's files have."""

    def write(path, frames=120, rate=120.0, **changes):
        arrays = amass_arrays(frames, rate, width=165)
        content = {
            **arrays,
            "mocap_frame_rate": np.array(rate),
            "mocap_time_length": np.array(frames / rate),
            "surface_model_type": np.array("smplx"),
            "num_betas": np.array(16),
            "root_orient": arrays["poses"][:, :3],
            "pose_body": arrays["poses"][:, 3:66],
            "pose_jaw": arrays["poses"][:, 66:69],
            "pose_eye": arrays["poses"][:, 69:75],
            "pose_hand": arrays["poses"][:, 75:],
            # Stored as a pickled dictionary; never looked at, so never unpickled.
            "markers_latent_vids": np.array({"ARIEL": 1}, dtype=object),
            **changes,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{key: value for key, value in content.items() if value is not None})
        return path

    return write


_CHILDREN = {
    "hip": ("abdomen", "lButtock", "rButtock"),
    "abdomen": ("chest",),
    "chest": ("neck", "lCollar", "rCollar"),
    "neck": ("head",),
    **{
        f"{s}{name}": (f"{s}{child}",)
        for s in "lr"
        for name, child in (
            ("Collar", "Shldr"), ("Shldr", "ForeArm"), ("ForeArm", "Hand"), ("Hand", "Mid1"),
            ("Buttock", "Thigh"), ("Thigh", "Shin"), ("Shin", "Foot"),
        )
    },
}  # fmt: skip
_SIDED_OFFSETS = {
    "Collar": (3, 19, -5), "Shldr": (9, -2, 1.5), "ForeArm": (28, -1.7, 0.5), "Hand": (22, 0.8, 7),
    "Mid1": (8, 1.2, 3.4), "Buttock": (9, 4.3, 1.2), "Thigh": (0, -1.7, -2.2),
    "Shin": (0, -37, 0.7), "Foot": (0.7, -45, -5),
}  # fmt: skip
_OFFSETS = {
    "hip": (0, 0, 0), "abdomen": (0, 20, -0.7), "chest": (0, 12, -0.5), "neck": (0, 22, -2),
    "head": (-0.2, 7, 1.2),
    **{
        f"{side}{name}": (sign * x, y, z)
        for side, sign in (("l", 1), ("r", -1))
        for name, (x, y, z) in _SIDED_OFFSETS.items()
    },
}  # fmt: skip


@pytest.fixture
def write_bvh():
    """Writes a figure with the joints of the CMU files and random motion.

    Every joint gets another order of its channels; the first frame is a T-pose by default.
    """

    def write(path, frames=60, rate=120, seed=0, t_pose=True, rename=None):
        rng = np.random.default_rng(seed)
        lines, names = ["HIERARCHY"], []

        def add(name, depth):
            pad = "\t" * depth
            shown = (rename or {}).get(name, name)
            order = "".join(rng.permutation(list("XYZ")))
            channels = [f"{axis}rotation" for axis in order]
            if depth == 0:
                channels = ["Xposition", "Yposition", "Zposition", *channels]
            names.append((name, len(channels)))
            lines.append(f"{pad}{'JOINT' if depth else 'ROOT'} {shown}")
            lines.append(f"{pad}{{")
            lines.append(f"{pad}\tOFFSET {' '.join(map(str, _OFFSETS[name]))}")
            lines.append(f"{pad}\tCHANNELS {len(channels)} {' '.join(channels)}")
            for child in _CHILDREN.get(name, ()):
                add(child, depth + 1)
            if name not in _CHILDREN:
                end = "-1.1 -3.7 12.1" if name.endswith("Foot") else "0 8 1"
                lines.append(f"{pad}\tEnd Site\n{pad}\t{{\n{pad}\t\tOFFSET {end}\n{pad}\t}}")
            lines.append(f"{pad}}}")

        add("hip", 0)
        num_channels = sum(count for _, count in names)
        values = rng.uniform(-60, 60, (frames, num_channels))
        values[:, :3] = np.array([10.0, 90.0, -30.0]) + np.arange(frames)[:, None]
        if t_pose:
            values[0, 3:] = 0.0
        lines += ["MOTION", f"Frames:\t{frames}", f"Frame Time:\t{1 / rate:.6g}"]
        lines += [" ".join(f"{value:.6f}" for value in row) for row in values]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\r\n".join("\n".join(lines).split("\n")) + "\r\n")
        return path

    return write
