"""What the manifest of a built engine says."""

from collections.abc import Mapping, Sequence
from typing import Any

from export.build_attempts import Comparison
from export.parity_report import joint_content
from export.targets import Target
from realtime_vibe.backends.graph_folder import GraphFolder

_OF_THE_SOURCE = ("latency",)
"""Measured figures that do not hold for other files."""


def built_content(
    part: GraphFolder,
    target: Target,
    precision: str,
    found: Comparison,
    clips: Sequence[str],
    limit_mm: float,
) -> dict[str, Any]:
    """The manifest of a built folder.

    Args:
        precision: of the folder.
        found: about all graphs; those of this folder are stated.
        clips: files: compared on the first, calibrated on all.
        limit_mm: how far joints might move in the mean.
    """
    content = {key: value for key, value in part.content.items() if key != "allowed_precisions"}
    measured = {
        key: value
        for key, value in content.get("measured", {}).items()
        if key not in _OF_THE_SOURCE
    }
    parity = {
        "compared_with": "the single precision ONNX engine, on the same crops",
        "clips": list(clips),
        "parity_on_target": found.on_target,
        "joints": joint_content(found.joints, limit_mm),
        "graphs": {name: found.graphs[name].content() for name in part.graph_names},
    }
    return {
        **content,
        "target": target.name,
        "precision": precision,
        "graphs": {name: found.entries[name] for name in part.graph_names},
        "built": {
            **target.built(),
            "from": {name: spec.sha256 for name, spec in part.graphs().items()},
        },
        "measured": {**measured, "parity_build": parity},
    }


def with_allowed_precision(content: Mapping[str, Any], precision: str) -> dict[str, Any]:
    """A manifest that allows backends one more precision."""
    allowed = list(content.get("allowed_precisions", ["fp32"]))
    if precision not in allowed:
        allowed.append(precision)
    return {**content, "allowed_precisions": allowed}
