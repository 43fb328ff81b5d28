"""Settings that several systems have: how the subject is cut out, how fine the mesh is. Each is declared here, once."""

from __future__ import annotations

from typing import Any

from .system import Group, setting

CUT_OUT = Group("cut_out", "Cut-Out")
# What only the last stage knows of, where no earlier one has a mesh.
OF_THE_MESH = ("mesh_resolution", "max_faces", "texture_size", "texture_steps", "origin", "height", "mirror")
MIRRORS = (
    ("none", "Off", "The mesh as it was made"),
    ("left", "Left Half on the Right", "The half at your left when you look at the front, and its mirror image"),
    ("right", "Right Half on the Left", "The half at your right when you look at the front, and its mirror image"),
)


# fmt: off
def cut_out_by() -> str:
    """Declare who cuts the subject out, where neither a mask nor alpha does."""
    return setting(
        CUT_OUT, "auto", "Cut Out By", "Who tells the object from its background, without a mask and without alpha",
        choices=(
            ("auto", "Background", "The colours before a plain background, the network before a busy one"),
            ("colours", "Colours", "Whatever differs from the colours along the picture's border"),
            ("network", "Network", "A network that has seen many objects before many backgrounds"),
        ),
    )


def piece() -> int:
    """Declare which piece of the cut-out is the subject."""
    return setting(
        CUT_OUT, 0, "Piece",
        "Which of several things in a picture becomes the object: 1 is the largest, 2 the next; 0 takes all as one",
        0, 9,
    )


def guessed_sides(group: Group, otherwise: str = "otherwise the prior draws the other sides") -> bool:
    """Declare whether the unseen sides begin as a network guesses them of the image, and what there is otherwise."""
    return setting(
        group, True, "Guess What Is Behind",
        f"Begin from what a network guesses of the space behind the image; {otherwise}",
        paper=False,
    )


def small_encoder(group: Group) -> bool:
    """Declare whether most steps encode with the small encoder."""
    return setting(
        group, False, "Small Encoder",
        "See views through TAESD in the first four fifths of a run: faster with Stable Diffusion. Fetch it first",
    )


def reuse(group: Group) -> int:
    """Declare in how many steps of an inversion the prior's deep layers are asked once."""
    return setting(
        group, 1, "Reuse Features",
        "Ask the prior's deep layers once in so many steps of an inversion, of ISM and CSM; more is faster, less exact",
        1, 4,
    )


def mesh_resolution(group: Group, paper: int = 144) -> int:
    """Declare how fine the grid is that the mesh is made from."""
    return setting(
        group, 112, "Resolution", "Cells along one side of the grid that the mesh is made from", 16, 256, bench=64,
        standard=144, paper=paper,
    )


def max_faces(group: Group, paper: int = 20_000) -> int:
    """Declare how many triangles the mesh may have."""
    return setting(
        group, 12_000, "Faces at Most", "The mesh is simplified to this many triangles", 100, 100_000, bench=4_000,
        standard=20_000, paper=paper,
    )


def texture_size(group: Group, **presets: Any) -> int:
    """Declare how large the texture is."""
    return setting(group, 1024, "Texture Size", "Pixels along one side of the texture", 32, 4096, bench=512, **presets)


def splats_glb(group: Group) -> bool:
    """Declare whether the Gaussians are written as glTF, too."""
    return setting(
        group, False, "Splats as glTF",
        "Write splats.glb beside points.ply: the same Gaussians for viewers of glTF that know KHR_gaussian_splatting",
    )


def remove_light(group: Group) -> bool:
    """Declare whether the image's light is taken out of its colours."""
    return setting(
        group, False, "Remove Light",
        "Take the light that the mesh's shading explains out of the image's colours, so that Blender's is the only one",
    )


def palette(group: Group, value: float, **presets: Any) -> float:
    """Declare how strongly the image's colours hold the sides that it does not show."""
    return setting(
        group, value, "Colours Behind", "Weight of the image's colours on the sides that it does not show", 0, 100,
        **presets,
    )


def origin(group: Group) -> str:
    """Declare where the origin of the mesh is."""
    return setting(
        group, "centre", "Origin", "Where the mesh has its origin in the GLB; Blender's import puts it at the base",
        choices=(
            ("centre", "Centre", "The middle of the ball that the object was made in"),
            ("base", "Base", "Under that, where the object stands"),
        ),
    )


def height(group: Group) -> float:
    """Declare how high the object is in the real world."""
    return setting(
        group, 0.0, "Height", "How high the object is in the real world; 0 leaves it at about two units across", 0, 100,
        unit="metres",
    )


def mirror(group: Group) -> str:
    """Declare which half of the mesh becomes both."""
    return setting(
        group, "none", "Mirror",
        "Make the mesh and its colours symmetric: one half, left or right as you look at the front, replaces the other",
        choices=MIRRORS,
    )
# fmt: on
