"""Tells recordings about the body whose motion they hold."""

from pathlib import Path

from realtime_vibe.body.keypoints49 import KEYPOINT_NAMES, Keypoints49, supported
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.outputs.record.take_rows import RecordedBody, SkinnedBody
from realtime_vibe.temporal.confidence import joint_confidence


def recorded_body(model: BodyModel, file: Path) -> RecordedBody:
    """What the recorder keeps of a body that was read from `file`."""
    keypoints = Keypoints49(model) if supported(model) else None
    skin = skinned_body(model)
    return RecordedBody(
        gender=model.gender,
        keypoint_names=KEYPOINT_NAMES if keypoints else (),
        locate_keypoints=keypoints.locate if keypoints else None,
        skin=skin,
        file=file,
        joint_confidence=joint_confidence,
    )


def skinned_body(model: BodyModel) -> SkinnedBody:
    """The mesh of a body, as formats with a moving mesh need it."""
    return SkinnedBody(
        v_template=model.v_template,
        shapedirs=model.shapedirs,
        weights=model.weights,
        J_regressor=model.J_regressor,
        faces=model.faces,
        licence=str(model.metadata.get("licence", "")),
    )
