"""BlazePose's three landmark networks by their size, and the folders that hold them.

`full` lies beside the detector; the other two have folders of their own with landmark graphs alone.
"""

from pathlib import Path

from realtime_vibe.backends.graph_folder import GraphFolder, find_folder
from realtime_vibe.errors import EngineError
from realtime_vibe.tracking.choices import BLAZEPOSE, FULL, TRACKER_MODELS


class BlazePoseFolder(GraphFolder):
    """The folder of one model, see `GraphFolder`."""

    manifest = "blazepose.json"

    @property
    def advice(self) -> str:
        """See `GraphFolder.advice`."""
        model = self.path.name.rpartition("-")[2]
        return f"rebuild it with: {make_command(model if model in TRACKER_MODELS else FULL)}"


def make_command(model: str) -> str:
    """What makes a model's folder in a checkout."""
    return f"python -m export.blazepose{'' if model == FULL else f' --model {model}'}"


def folder_name(model: str, blazepose: str = BLAZEPOSE) -> str:
    """Name of a model's folder, one of `TRACKER_MODELS`; `blazepose` is that of the detector and `full`."""
    return blazepose if model == FULL else f"{blazepose}-{model}"


def find_model(model: str) -> Path | None:
    """The folder of a model that this installation has; None: it has not."""
    return find_folder(folder_name(model))


def model_folder(model: str, blazepose_folder: Path | None = None) -> Path:
    """The folder of a model.

    Args:
        model: one of `TRACKER_MODELS`.
        blazepose_folder: the detector and `full` of a built engine; its other models lie beside it.
            None: the graphs of this installation.

    Raises:
        EngineError: it is not there; the message says how to get it.
    """
    if blazepose_folder is not None:
        found = blazepose_folder.with_name(folder_name(model, blazepose_folder.name))
        if found.is_dir():
            return found
        raise EngineError(
            f"no tracker model {model} in {blazepose_folder.parent} ({found.name}): build it, in a "
            f"checkout, with: python -m export.build engines/{folder_name(model)} --target ... "
            f"--precision ... --out {found}"
        )
    shipped = find_model(model)
    if shipped is None:
        made = f"make it, in a checkout, with: {make_command(model)}"
        raise EngineError(
            f"no tracker model {model} here (engines/{folder_name(model)}): "
            f"{'reinstall the package' if model == FULL else made}"
        )
    return shipped
