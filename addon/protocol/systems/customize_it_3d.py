"""Customize-It-3D as its requests, the panel and the backend know it: what can be set, and the stages of a job.

Source of what the comments call the paper's: Customize-It-3D (arXiv 2312.11535) and its authors' code, which has most
of the numbers; docs/customize-it-3d.md compares.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import field_settings as field
from . import learning_settings as learning
from . import shared_settings as shared
from .system import Group, Picture, Stage, System, setting

OBJECT = Group("object_learning", "Learning the Object")
SHAPE = Group("object_shape", "Shape")
GUIDANCE = Group("object_guidance", "Unseen Sides")
REFERENCE = Group("object_reference", "Likeness")
TERMS = Group("object_terms", "Smoothness")
POINTS = Group("object_points", "Colours")
MESH = Group("object_mesh", "Mesh")

MOST_ENHANCED = 24  # views that can be replaced in the panel


# fmt: off
@dataclass(frozen=True)
class CustomizeIt3DSettings:
    """Everything that a preset chooses, and a request can override by name."""

    # In the prompts before the class; a word that no text has.
    token: str = setting(OBJECT, "sks", "Token", "The rare word that comes to mean the object, beside what it is")
    subject_class: str = setting(
        OBJECT, "", "Class", "What the object is: chair; empty takes it from the prompt, or from the image",
    )
    # The wording of the authors' training, word for word in guidance too; their guidance says it otherwise.
    rgb_prompt: str = setting(
        OBJECT, "a rgb photo of {subject}", "Said of Colours", "What the prior is told of the image's colours",
    )
    depth_prompt: str = setting(
        OBJECT, "a depth map of {subject}", "Said of Depth", "What the prior is told of the depth image",
    )
    normal_prompt: str = setting(
        OBJECT, "a normal map of {subject}", "Said of Normals", "What the prior is told of the normal image",
    )
    mask_prompt: str = setting(
        OBJECT, "a foreground mask of {subject}", "Said of the Mask", "What the prior is told of the mask",
    )
    # The authors train with the class alone, and guide with a caption.
    whole_prompt: bool = setting(
        OBJECT, True, "Whole Prompt", "Say all of the prompt, not the class alone, of the image and of colours",
        paper=False,
    )
    modalities: str = setting(
        OBJECT, "all", "Learn From", "Which images of the object the prior learns from",
        choices=(
            ("all", "All Four Images", "Colours, depth, normals and mask"),
            ("rgb", "Colours Alone", "The image itself and nothing else; normals are then not judged by words"),
        ),
    )
    schedule: str = setting(
        OBJECT, "mixed", "Order", "In which order the four images are learnt",
        choices=(
            ("mixed", "Together", "All in each step, by their numbers of steps"),
            ("sequential", "One by One", "Mask, depth, normals, then colours, as the paper's authors do"),
        ),
        paper="sequential",
    )
    mask_steps: int = setting(OBJECT, 25, "Steps, Mask", "How often the prior learns from the mask", 0, 1_000, bench=4)
    depth_steps: int = setting(OBJECT, 50, "Steps, Depth", "How often it learns from the depth", 0, 1_000, bench=8)
    normal_steps: int = setting(OBJECT, 50, "Steps, Normals", "How often it learns from the normals", 0, 1_000, bench=8)
    rgb_steps: int = setting(OBJECT, 75, "Steps, Colours", "How often it learns from the colours", 1, 1_000, bench=12)
    # The authors' 1e-6 is for all of Stable Diffusion.
    tuning_rate: float = learning.tuning_rate(OBJECT, 1e-4, paper=1e-6)
    tuning_whole: str = learning.tuning_whole(OBJECT)
    tuning_rank: int = learning.tuning_rank(OBJECT)
    tuning_text_encoder: bool = learning.tuning_text_encoder(OBJECT, False, paper=True)
    tuning_batch: int = setting(
        OBJECT, 2, "Images per Step", "How many images of the object, and as many pictures of the class, are in a step",
        1, 16, paper=1,
    )
    class_pictures: int = learning.class_pictures(OBJECT, 16, bench=4, standard=48, paper=200)
    class_weight: float = learning.class_weight(OBJECT)
    # Of the pictures' mean distance before teaching.
    least_variety: float = setting(
        OBJECT, 0.35, "Least Variety", "Share of a class's variety that must be left, or the job warns; 0 never does",
        0, 1,
    )

    coarse_steps: int = setting(
        SHAPE, 200, "Steps", "How often the shape is changed", 1, 20_000, bench=50, standard=600, paper=7_000,
    )
    nodes: int = field.nodes(SHAPE)
    view_size: int = field.view_size(SHAPE, paper=128)
    field_rate: float = field.field_rate(SHAPE)
    field_rate_end: float = field.field_rate_end(SHAPE)
    field_memory: float = field.field_memory(SHAPE)
    start: str = setting(
        SHAPE, "sides", "Begin From", "What the shape begins as",
        choices=(
            ("sides", "Four Sides", "Three other sides, guessed or drawn, together with the image"),
            ("outline", "Outline", "The image's outline, blown up: thick where it is wide"),
            ("ball", "Ball", "A soft ball, as in the paper; thin parts take long to grow"),
        ),
        paper="ball",
    )
    radius: float = setting(SHAPE, 0.5, "First Radius", "Radius of that ball", 0.05, 1)
    views: int = setting(SHAPE, 2, "Views per Step", "How many other sides are looked at in each step", 1, 8, paper=1)
    # The paper's 45 degrees for 2,000 of 7,000 steps, then all at once.
    first_azimuth: float = setting(
        SHAPE, 45.0, "First Turn", "How far from the image's side the first views are", 1, 180, unit="degrees",
    )
    widened: float = setting(
        SHAPE, 0.3, "Turned Round", "Share of the steps after which views come from all around", 0.01, 1,
    )
    low_elevation: float = field.low_elevation(SHAPE, paper=-20.0)
    high_elevation: float = field.high_elevation(SHAPE, 40.0, paper=20.0)
    # Shares of the authors' two launches, of 7,000 steps together.
    unlit: float = field.unlit(SHAPE, 0.3, paper=0.5)
    lit: float = field.lit(SHAPE, paper=0.5)
    textureless: float = field.textureless(SHAPE)

    loss: str = field.loss(GUIDANCE)
    weight: str = field.weight(GUIDANCE)
    scale: float = setting(
        GUIDANCE, 7.0, "Prompt Strength", "How strongly the words for the object pull; too much over-saturates", 0, 200,
        paper=10.0,
    )
    small_encoder: bool = shared.small_encoder(GUIDANCE)
    lambda_sds: float = setting(
        GUIDANCE, 1.0, "Learnt Object", "Weight of what the taught prior says of the views", 0, 10,
    )
    low_noise: float = setting(
        GUIDANCE, 0.2, "Least Noise", "Share of the noise that views have at least when the prior is asked", 0, 1,
    )
    high_noise: float = setting(
        GUIDANCE, 0.6, "Most Noise", "Share of the noise that views have at most", 0.01, 1,
    )
    delta_t: int = field.delta_t(GUIDANCE)
    reuse: int = shared.reuse(GUIDANCE)
    # The share of steps in which the normal map is judged, from the authors' 1,000 of 7,000.
    normal_views: float = setting(
        GUIDANCE, 0.25, "Judge Normals",
        "Share of the steps in which the normals of a view are judged, with the words for normals", 0, 1,
    )
    depth_views: float = setting(
        GUIDANCE, 0.0, "Judge Depth", "Share of the steps in which its depth is judged", 0, 1,
    )
    mask_views: float = setting(
        GUIDANCE, 0.0, "Judge Outline", "Share of the steps in which its outline is judged", 0, 1,
    )
    shading_aware: bool = setting(
        GUIDANCE, True, "Words by Kind", "Judge normals, depth and outline with words of their own, as learnt",
    )
    camera_tokens: bool = field.camera_tokens(GUIDANCE)
    perp_neg: float = field.perp_neg(GUIDANCE)
    # The authors' 40, of angle / 180.
    novel_views: float = setting(
        GUIDANCE, 4.0, "Turned Image", "Weight of what the image looks like from other sides, as the 3D prior thinks",
        0, 100, paper=40.0,
    )
    novel_scale: float = setting(
        GUIDANCE, 3.0, "Image Strength", "How strongly the 3D prior keeps to the image", 0, 30, paper=5.0,
    )

    # Shares of the mean guidance: the authors' 1,000 stands beside its sum, in steps of the image's side alone.
    reference: float = setting(REFERENCE, 20.0, "Colour", "Weight of the image's colours", 0, 1_000)
    reference_mask: float = setting(REFERENCE, 20.0, "Outline", "Weight of its outline", 0, 1_000)
    reference_depth: float = setting(REFERENCE, 0.5, "Depth", "Weight of its depth", 0, 10)
    reference_normal: float = setting(REFERENCE, 0.2, "Normals", "Weight of its normals", 0, 10, paper=0.0)
    palette: float = shared.palette(REFERENCE, 10.0, paper=0.0)
    guessed_sides: bool = shared.guessed_sides(REFERENCE)
    drawn_sides: float = setting(
        REFERENCE, 5.0, "Drawn Sides", "How firmly the shape is held to the guess or the sides that it begins from",
        0, 100, paper=0.0,
    )
    image_features: float = setting(
        REFERENCE, 0.0, "Same Thing", "Weight for other sides to be of the same kind of thing", 0, 10, paper=0.1,
    )
    text_features: float = setting(
        REFERENCE, 0.0, "As Described", "Weight for other sides to fit the description", 0, 10, paper=0.1,
    )

    sparsity: float = field.sparsity(TERMS)
    entropy: float = field.entropy(TERMS)
    orientation: float = field.orientation(TERMS)
    distortion: float = field.distortion(TERMS)
    smoothness: float = field.smoothness(TERMS)
    variation: float = field.variation(TERMS)

    points: int = setting(
        POINTS, 20_000, "Points", "How many points carry the colours", 100, 1_000_000, bench=4_000, standard=50_000,
        paper=700_000,
    )
    points_from: str = setting(
        POINTS, "mesh", "Points From", "Where the points come from",
        choices=(
            ("mesh", "The Surface", "Evenly spread on it"),
            ("depth", "Depth Images", "From what cameras around it see, unevenly"),
        ),
    )
    enhanced_views: int = setting(
        POINTS, 12, "Views", "From how many sides unseen points get their colours", 1, 100, bench=6,
        standard=20, paper=33,
    )
    # Near the image's side, and elsewhere.
    enhance_near: float = setting(
        POINTS, 0.15, "Redraw Near", "How much noise views near the image's side are redrawn from; 0 leaves them", 0, 1,
    )
    enhance_far: float = setting(POINTS, 0.3, "Redraw Far", "The same for all other views", 0, 1, paper=0.05)
    enhance_steps: int = setting(
        POINTS, 30, "Redraw Steps", "Steps of the redrawing, for all noise", 1, 200, paper=50,
    )
    enhance_scale: float = setting(
        POINTS, 4.0, "Redraw Strength", "How strongly the words pull in it", 0, 30, paper=7.5,
    )
    refine_steps: int = setting(
        POINTS, 60, "Steps", "How often the points' colours and their network are changed", 0, 20_000, bench=12,
        standard=200, paper=3_000,
    )
    refine_rate: float = setting(
        POINTS, 3e-3, "Rate", "How fast they change at first; it falls to a tenth in a third of the steps", 1e-9, 0.1,
        paper=1e-3,
    )
    # The authors' has 16 filters at the finest level, the small one 8.
    network: str = setting(
        POINTS, "small", "Network", "What draws pictures from the points",
        choices=(
            ("small", "Small", "Half as wide: faster on a processor"),
            ("full", "Full", "As wide as in the paper"),
        ),
        paper="full",
    )
    point_radius: float = setting(POINTS, 2.0, "Point Radius", "Radius of a point in a view", 0.5, 8, unit="pixels")
    refine_guidance: float = setting(
        POINTS, 0.5, "Learnt Object", "Weight of what the taught prior says of the coloured points", 0, 10, paper=1.0,
    )
    refine_novel_views: float = setting(
        POINTS, 1.0, "Turned Image", "Weight of what the 3D prior says of them", 0, 100, paper=40.0,
    )
    refine_image_features: float = setting(
        POINTS, 0.0, "Same Thing", "Weight for other sides to be of the same kind of thing", 0, 100, paper=1.0,
    )
    contextual: float = setting(
        POINTS, 0.05, "Same Details", "Weight for other sides to have the image's details, wherever they are", 0, 10,
    )
    # A hundred to one, as the authors' 1e5 and 1e3.
    anchor_known: float = setting(
        POINTS, 1_000.0, "Keep Known Colours", "Weight against change of the points that the image shows", 0, 1e6,
    )
    anchor_others: float = setting(
        POINTS, 10.0, "Keep Other Colours", "Weight against change of the other points", 0, 1e6,
    )

    find_camera: bool = setting(
        shared.CUT_OUT, False, "Find the Camera",
        "Find out from where the image was taken, by asking the prior, if it can be told of cameras",
    )
    cut_out: str = shared.cut_out_by()
    piece: int = shared.piece()

    mesh_resolution: int = shared.mesh_resolution(MESH, paper=256)
    max_faces: int = shared.max_faces(MESH, paper=50_000)
    texture_size: int = shared.texture_size(MESH, paper=2048)
    origin: str = shared.origin(MESH)
    height: float = shared.height(MESH)
    mirror: str = shared.mirror(MESH)
    texture_steps: int = setting(
        MESH, 10, "Texture Steps", "How often the texture is corrected until the mesh looks like its views", 0, 200,
    )
    remove_light: bool = shared.remove_light(MESH)
    # A folder with one folder for each network: docs/companions.md.
    companions: str = setting(
        MESH, "", "Networks", "Folder with networks for depth, normals, features, turned views; empty: our own",
    )
    paper_compat: bool = setting(
        MESH, False, "Faults of the Original",
        "Do what the authors' code does where it errs: one field of view, normals in world axes, no words for sides",
    )
# fmt: on


CUSTOMIZE_IT_3D = System(
    "customize_it_3d",
    "Object from One Image",
    "One image of an object becomes the object, with its unseen sides, as a textured mesh and coloured points",
    CustomizeIt3DSettings,
    stages=(
        Stage(
            "modalities",
            "Looking",
            seconds=1.0,
            leaves=(
                Picture("rgb.png", "Colour", "The picture of the object, before any background"),
                Picture("mask.png", "Mask", "White where the object is, black elsewhere"),
                Picture("depth.png", "Depth", "How near it is: white is nearest, black is furthest"),
                Picture("normal.png", "Normals", "Which way it faces: red to the right, green up, blue to the viewer"),
            ),
            stop="Four Images",
        ),
        Stage("viewpoint", "Finding the Camera", seconds=3.0, comes=lambda roles, settings: settings.find_camera),
        Stage("classes", "Drawing the Class", seconds=3.0, comes=lambda roles, settings: settings.class_weight > 0),
        Stage("teaching", "Learning the Object", seconds=20.0),
        Stage(
            "sides",
            "Drawing Sides",
            seconds=3.0,
            leaves=tuple(
                Picture(
                    f"{side.lower()}.png",
                    side,
                    f"The {side.lower()} side, guessed or drawn",
                )
                for side in ("Right", "Back", "Left")
            ),
            stop="Drawn Sides",
            comes=lambda roles, settings: settings.start == "sides",
        ),
        Stage("coarse", "Shaping", seconds=60.0),
        Stage("surface", "Finding the Surface", seconds=8.0, stop="Shape"),  # stopped there, it leaves a mesh
        Stage(
            "enhanced",
            "Redrawing Views",
            seconds=4.0,
            leaves=tuple(
                Picture(f"side-{number:02}.png", f"View {number}", "The object from a side, redrawn")
                for number in range(1, MOST_ENHANCED + 1)
            ),
            stop="Redrawn Views",
        ),
        Stage("refined", "Refining Colours", seconds=30.0),
        Stage("mesh", "Making the Mesh", seconds=4.0),
    ),
    roles=("reconstruct", "mask"),
    needs_prompt=False,
    needs_image_or_prompt=True,
    mesh_settings=("texture_size", "origin", "height", "mirror"),
)
