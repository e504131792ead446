"""The released files: read whole or refused whole, whatever is wrong named, nothing of them run."""

import os
import pickle

import numpy as np
import pytest
import torch

from realtime_vibe.errors import CheckpointError
from realtime_vibe.models.checkpoint import load_official_discriminator, load_official_vibe
from tests.official_vibe import (
    mean_params,
    random_vibe,
    short_backbone,
    spin_checkpoint,
    vibe_checkpoint,
)

VIBE_NAME, SPIN_NAME = "vibe_model_wo_3dpw.pth.tar", "spin_model_checkpoint.pth.tar"


@pytest.fixture(scope="module", autouse=True)
def _short_backbone():
    with short_backbone():
        yield


@pytest.fixture(scope="module")
def network():
    return random_vibe()


@pytest.fixture(scope="module")
def written(network, tmp_path_factory):
    """Both files as they should be, as torch 1.4 wrote them."""
    folder = tmp_path_factory.mktemp("released")
    for name, content in ((VIBE_NAME, vibe_checkpoint), (SPIN_NAME, spin_checkpoint)):
        torch.save(content(network), folder / name, _use_new_zipfile_serialization=False)
    return folder


@pytest.fixture
def contents(network):
    """What the files hold, to change."""
    return {VIBE_NAME: vibe_checkpoint(network), SPIN_NAME: spin_checkpoint(network)}


@pytest.fixture
def load(contents, written, tmp_path):
    """Loads the files; writes the changed ones anew."""

    def run(*changed, mean=None):
        folders = {name: tmp_path if name in changed else written for name in contents}
        for name in changed:
            torch.save(contents[name], tmp_path / name)
        return load_official_vibe(
            folders[VIBE_NAME] / VIBE_NAME, folders[SPIN_NAME] / SPIN_NAME, mean
        )

    return run


@pytest.mark.parametrize("zipped", [(), (VIBE_NAME, SPIN_NAME)], ids=["torch-1.4", "zip"])
def test_every_weight_arrives(load, network, zipped):
    loaded = load(*zipped)
    assert not loaded.training
    found, expected = loaded.state_dict(), network.state_dict()
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_files_older_than_batch_counters_load(load, contents):
    model = contents[SPIN_NAME]["model"]
    for key in [key for key in model if key.endswith("num_batches_tracked")]:
        del model[key]
    assert load(SPIN_NAME).backbone.bn1.num_batches_tracked == 0


@torch.no_grad()
def test_the_discriminator_is_the_released_one(contents, written):
    discriminator = load_official_discriminator(written / VIBE_NAME)
    expected = contents[VIBE_NAME]["disc_motion_state_dict"]
    for name, tensor in discriminator.state_dict().items():
        assert torch.equal(tensor, expected[name]), name
    assert discriminator(torch.zeros(16, 2, 69)).shape == (2,)
    assert sum(weight.numel() for weight in discriminator.parameters()) == 11_762_690


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        (
            VIBE_NAME,
            [
                ("encoder.linear.bias", None, "no encoder.linear.bias (2048,)"),
                ("regressor.fc3.bias", torch.zeros(2), "unknown regressor.fc3.bias"),
                (
                    "regressor.fc1.weight",
                    torch.zeros(1024, 2200),
                    "regressor.fc1.weight: shape (1024, 2200), expected (1024, 2205)",
                ),
            ],
        ),
        (
            VIBE_NAME,
            [
                ("regressor.fc2.bias", 3, "a int, expected a tensor"),
                ("encoder.linear.bias", torch.full((2048,), np.nan), "not finite"),
                ("regressor.fc1.bias", torch.zeros(1024, dtype=torch.int64), "dtype"),
            ],
        ),
        (
            SPIN_NAME,
            [
                (
                    "layer1.1.conv2.weight",
                    None,
                    "no layer1.1.conv2.weight (64, 64, 3, 3)",
                ),
                ("layer5.0.bn1.bias", torch.zeros(2), "unknown layer5.0.bn1.bias"),
            ],
        ),
    ],
    ids=["keys", "values", "backbone"],
)
def test_wrong_weights_are_named(load, contents, name, faults):
    weights = contents[name]["gen_state_dict" if name == VIBE_NAME else "model"]
    for where, value, _ in faults:
        if value is None:
            del weights[where]
        else:
            weights[where] = value
    with pytest.raises(CheckpointError, match="nothing was loaded") as raised:
        load(name)
    for said in (name, *(said for _, _, said in faults)):
        assert said in str(raised.value)


def test_files_in_the_wrong_order_are_distinguished(written):
    with pytest.raises(CheckpointError, match=r"holds epoch, gen_state_dict.*expected.*'model'"):
        load_official_vibe(written / SPIN_NAME, written / VIBE_NAME)


def test_a_bidirectional_network_is_refused_with_the_size(load, contents):
    contents[VIBE_NAME]["gen_state_dict"]["encoder.linear.weight"] = torch.zeros(2048, 2048)
    with pytest.raises(CheckpointError, match=r"encoder.linear.weight: shape \(2048, 2048\)"):
        load(VIBE_NAME)


def test_other_files_are_no_checkpoints(tmp_path, subtests):
    for content in [b"", b"no checkpoint", b"\x80\x02K\x01.", b"PK\x03\x04cut"]:
        with subtests.test(content=content):
            path = tmp_path / VIBE_NAME
            path.write_bytes(content)
            with pytest.raises(CheckpointError, match=VIBE_NAME):
                load_official_discriminator(path)
            with pytest.raises(CheckpointError, match="cannot be read"):
                load_official_discriminator(tmp_path / "missing")


def test_a_hostile_file_runs_nothing(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    content = {"disc_motion_state_dict": Hostile()}
    torch.save(content, tmp_path / VIBE_NAME)
    (tmp_path / SPIN_NAME).write_bytes(pickle.dumps(content, protocol=2))
    for path in (tmp_path / VIBE_NAME, tmp_path / SPIN_NAME):
        with pytest.raises(CheckpointError, match="nothing of it was run"):
            load_official_discriminator(path)
    assert not (tmp_path / "ran").exists()


def test_a_file_cut_off_is_refused(written, tmp_path):
    cut = tmp_path / SPIN_NAME
    whole = (written / SPIN_NAME).read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=SPIN_NAME):
        load_official_vibe(written / VIBE_NAME, cut)


def test_mean_parameters_fill_in_what_the_weights_lack(load, contents, tmp_path):
    path = tmp_path / "smpl_mean_params.npz"
    np.savez(path, **mean_params())
    load(mean=path)  # both, and equal
    for key in ("init_pose", "init_shape", "init_cam"):
        del contents[VIBE_NAME]["gen_state_dict"][f"regressor.{key}"]
    with pytest.raises(CheckpointError, match=r"no regressor\.init_pose"):
        load(VIBE_NAME)
    loaded = load(VIBE_NAME, mean=path)
    np.testing.assert_array_equal(loaded.motion.regressor.init_pose[0], mean_params()["pose"])


def test_other_mean_parameters_are_refused(load, tmp_path):
    path = tmp_path / "smpl_mean_params.npz"
    arrays = mean_params()
    arrays["cam"][0] = 0.5
    np.savez(path, **arrays)
    with pytest.raises(CheckpointError, match=r"'cam' differs from regressor\.init_cam"):
        load(mean=path)
    np.savez(path, **{**arrays, "pose": arrays["pose"][:72]})
    with pytest.raises(CheckpointError, match=r"pose has shape \(72,\), expected \(144,\)"):
        load(mean=path)
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"expected pose"):
        load(mean=path)
