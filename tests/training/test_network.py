"""Network files: same weights back, any feature width, and errors that name the file."""

import pytest
import torch

from realtime_vibe.errors import DatasetError
from realtime_vibe.models.regressor import MeanParams
from realtime_vibe.training.network import (
    FeatureStatistics,
    NetworkSize,
    build_network,
    load_network,
    save_network,
)

SIZE = NetworkSize(embedded=16, hidden=12, regressor=14, dropout=0.1)


def _network(features, skeleton_parts):
    torch.manual_seed(0)
    mean = MeanParams(torch.randn(144), torch.randn(10), torch.tensor([0.9, 0.0, 0.0]))
    statistics = FeatureStatistics(torch.randn(features), torch.rand(features) + 0.5)
    return build_network(SIZE, statistics, mean, skeleton_parts)


@pytest.mark.parametrize("features", [202, 1355])
def test_a_file_gives_the_same_network(tmp_path, features, skeleton_parts):
    network = _network(features, skeleton_parts)
    save_network(tmp_path / "n.pt", network, SIZE, {"steps": "0"})
    loaded, size, provenance = load_network(tmp_path / "n.pt")
    assert (size, provenance) == (SIZE, {"steps": "0"})
    for name, value in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value)
    assert not loaded.training


def test_damaged_and_foreign_files_are_named(tmp_path):
    path = tmp_path / "n.pt"
    with pytest.raises(DatasetError, match=r"n\.pt"):
        load_network(path)
    path.write_bytes(b"no zip")
    with pytest.raises(DatasetError, match=r"n\.pt: cannot be read"):
        load_network(path)
    torch.save({"something": 1}, path)
    with pytest.raises(DatasetError, match=r"n\.pt: .*expected a checkpoint with"):
        load_network(path)


def test_a_network_of_another_layout_is_refused(tmp_path):
    path = tmp_path / "old.pt"
    torch.save({"size": {"embedded": 4}, "state_dict": {}, "provenance": {}}, path)
    with pytest.raises(DatasetError, match=r"old\.pt: cannot be read"):
        load_network(path)
