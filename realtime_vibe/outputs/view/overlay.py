"""The camera's picture with the mesh, the stick figure and the box drawn over each person."""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.camera import PinholeView
from realtime_vibe.outputs.view.blend import MeshStyle, blend_mesh
from realtime_vibe.outputs.view.raster import MeshRasterizer
from realtime_vibe.outputs.view.shading import PERSON_COLORS
from realtime_vibe.outputs.view.skeleton import draw_skeleton
from realtime_vibe.packets import FrameResult, ImageArray, PersonResult

_OPACITY = 0.65
"""Of the mesh: 0 invisible, 1 hides the person."""


class OverlayRenderer:
    """Draws results over their frames.

    Args:
        faces: (F, 3) of the body that the meshes come from.
        skeleton: also draws the tracker's landmarks as a stick figure, where it gives them.
    """

    def __init__(self, faces: NDArray[np.integer], *, skeleton: bool = False) -> None:
        self._rasterizer = MeshRasterizer(faces)
        self._skeleton = skeleton

    def draw(
        self, result: FrameResult, *, height: int | None = None, mirror: bool = False
    ) -> ImageArray:
        """A new picture (h, w, 3) BGR; with nobody in view, the bare frame.

        Args:
            result: the frame and its people, those just lost fading; the frame is not changed.
            height: height of the picture [px], the aspect ratio is kept; None keeps the frame's
                size. Drawing happens at this size, so a small picture of a 4K frame is cheap.
            mirror: flips the finished picture left to right, as a mirror would show it.
        """
        frame = result.frame.image_bgr
        scale = 1.0 if height is None else height / frame.shape[0]
        image = resized_to_height(frame, height)
        view = PinholeView(
            width=image.shape[1], height=image.shape[0], focal_px=result.focal_px * scale
        )
        for held in result.held:
            self._draw_mesh(image, held.last, view, held.opacity)
        for person in sorted(result.people, key=_depth_m, reverse=True):
            self._draw_person(image, person, view, scale)
        return np.ascontiguousarray(image[:, ::-1]) if mirror else image

    def _draw_person(
        self, image: ImageArray, person: PersonResult, view: PinholeView, scale: float
    ) -> None:
        self._draw_mesh(image, person, view, 1.0)
        if self._skeleton and person.person.landmarks is not None:
            draw_skeleton(image, person.person.landmarks, scale)

    def _draw_mesh(
        self, image: ImageArray, person: PersonResult, view: PinholeView, share: float
    ) -> None:
        """The body's surface with a share of the usual opacity."""
        outline_px = max(1, round(min(image.shape[:2]) / 500)) if share == 1.0 else 0
        style = MeshStyle(
            color=PERSON_COLORS[person.person.track_id % len(PERSON_COLORS)],
            opacity=_OPACITY * share,
            outline_px=outline_px,
        )
        vertices = person.in_picture(person.mesh.vertices)
        blend_mesh(image, self._rasterizer.render(vertices, view), style)


def resized_to_height(image: ImageArray, height: int | None) -> ImageArray:
    """A new picture of the given height [px] and the same aspect ratio; None copies."""
    if height is None or height == image.shape[0]:
        return image.copy()
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    method = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def _depth_m(person: PersonResult) -> float:
    return float(person.mesh.joints[0, 2])
