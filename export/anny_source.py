"""Random adult bodies from Anny's phenotype space, in SMPL's axes.

Anny (Apache-2.0, data CC0 from MakeHuman) works z up and facing -y; everything that leaves this file
is y up, facing +z, in metres. Legend: N sampled people, V vertices, F triangles, B Anny bones.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

SMPL_FROM_ANNY = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""(3, 3) rotation: x stays, Anny's z is our y, Anny's -y is our z."""

HIDDEN_PARTS = (
    "tongue",
    "mouth_cavity",
    "eye_back.L",
    "eye_back.R",
    "eye_cavity.L",
    "eye_cavity.R",
)
"""Face segments nobody can see from outside."""

# Anny's own age axis against years, and the height axis of adults as Beta distributions, both as
# Anny calibrates them to the WHO's growth tables.
_AGE_YEARS = (18.0, 64.0, 110.0)
_AGE_VALUES = (0.77, 0.83, 1.0)
_HEIGHT_MALE = (16.5, 25.66)
_HEIGHT_FEMALE = (13.68, 25.75)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnyBodies:
    """N people in Anny's rest pose, with what all of them share."""

    vertices: Array
    """(N, V, 3) [m]."""
    bone_heads: Array
    """(N, B, 3) [m]."""
    bone_labels: tuple[str, ...]
    """B names, left and right end with `.L` and `.R`."""
    bone_weights: Array
    """(V, B) skinning weights, rows sum to 1."""
    faces: IntArray
    """(F, 3) triangles, normals outwards."""
    eyelid_rims: tuple[IntArray, IntArray]
    """Vertices where the left and the right eyelids meet the eye."""
    lip_rim: IntArray
    """Vertices where the lips meet the mouth."""

    def bone(self, label: str) -> int:
        """Index of the bone called `label`."""
        return self.bone_labels.index(label)


def sample_bodies(num_people: int, seed: int) -> AnnyBodies:
    """Samples adults of 18 to 80 years and gives their rest meshes.

    Half of the people are near the female and half near the male end of the gender axis; muscle,
    weight, proportions and chest are Beta(2, 2) around the middle; ancestry is uniform on its
    simplex; height follows the WHO-calibrated distribution of the gender.

    Args:
        seed: of the NumPy generator; the same seed gives the same people.
    """
    import anny

    model = anny.Anny(
        rig="makehuman",
        topology="anny-quads",
        phenotypes="all",
        phenotype_blendshapes="original",
        skinning_method="lbs",
    )
    phenotypes = _sample_phenotypes(num_people, np.random.default_rng(seed))
    coefficients = model.get_phenotype_blendshape_coefficients(
        **{name: torch.from_numpy(values) for name, values in phenotypes.items()}
    )
    heads = _shaped(model.template_bone_heads, model.bone_heads_blendshapes, coefficients)
    vertices = _shaped(model.template_vertices, model.blendshapes, coefficients)
    segments = _face_segments(model)
    hidden = np.any([segments[name] for name in HIDDEN_PARTS], axis=0)
    quads = model.faces.numpy()
    kept = np.unique(quads[~hidden])
    renumbered = np.full(vertices.shape[1], -1)
    renumbered[kept] = np.arange(len(kept))

    def rim(name: str) -> IntArray:
        shared = np.intersect1d(quads[segments[name]], quads[segments["head"]])
        rim_vertices: IntArray = renumbered[shared]
        return rim_vertices

    return AnnyBodies(
        vertices=vertices[:, kept],
        bone_heads=heads,
        bone_labels=tuple(model.bone_labels),
        bone_weights=model.dense_vertex_bone_weights.numpy().astype(np.float64)[kept],
        faces=_triangles(renumbered[quads[~hidden]], vertices[0, kept]),
        eyelid_rims=(rim("eye_cavity.L"), rim("eye_cavity.R")),
        lip_rim=rim("mouth_cavity"),
    )


def _sample_phenotypes(num_people: int, rng: np.random.Generator) -> dict[str, Array]:
    is_female = np.arange(num_people) % 2 == 1
    lean = 0.25 * rng.beta(1.0, 3.0, num_people)
    heights = np.where(
        is_female, rng.beta(*_HEIGHT_FEMALE, num_people), rng.beta(*_HEIGHT_MALE, num_people)
    )
    phenotypes = {
        "gender": np.where(is_female, 1.0 - lean, lean),
        "height": heights,
        "age": np.interp(rng.uniform(18.0, 80.0, num_people), _AGE_YEARS, _AGE_VALUES),
    }
    for name in ("muscle", "weight", "proportions", "cupsize", "firmness"):
        phenotypes[name] = rng.beta(2.0, 2.0, num_people)
    ancestry = rng.dirichlet(np.ones(3), num_people)
    for column, name in enumerate(("african", "asian", "caucasian")):
        phenotypes[name] = np.ascontiguousarray(ancestry[:, column])
    return phenotypes


def _shaped(template: torch.Tensor, directions: torch.Tensor, coefficients: torch.Tensor) -> Array:
    flat = coefficients @ directions.flatten(1) + template.flatten()
    anny_points = flat.reshape(len(coefficients), -1, 3).numpy()
    points: Array = anny_points @ SMPL_FROM_ANNY.T
    return points


def _face_segments(model: Any) -> dict[str, NDArray[np.bool_]]:
    from anny.face_segmentation import get_face_segmentation_mask

    return {
        name: get_face_segmentation_mask(model, [name]).numpy() for name in (*HIDDEN_PARTS, "head")
    }


def _triangles(quads: IntArray, vertices: Array) -> IntArray:
    """Splits each quad along its shorter diagonal, which keeps creases and stays symmetric."""
    a, b, c, d = (quads[:, corner] for corner in range(4))
    first = np.linalg.norm(vertices[a] - vertices[c], axis=1)
    second = np.linalg.norm(vertices[b] - vertices[d], axis=1)
    along_ac = (first <= second)[:, None]
    one = np.where(along_ac, np.stack([a, b, c], 1), np.stack([a, b, d], 1))
    two = np.where(along_ac, np.stack([a, c, d], 1), np.stack([b, c, d], 1))
    triangles = np.concatenate([one, two])
    distinct = (
        (triangles[:, 0] != triangles[:, 1])
        & (triangles[:, 1] != triangles[:, 2])
        & (triangles[:, 2] != triangles[:, 0])
    )
    kept: IntArray = triangles[distinct]
    return kept
