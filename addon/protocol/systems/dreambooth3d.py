"""DreamBooth3D as its requests, the panel and the backend know it: what can be set, and the stages of a job.

Source of what the comments call the paper's: Raj et al., DreamBooth3D (arXiv 2303.13508); docs/dreambooth3d.md
compares.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import field_settings as field
from . import learning_settings as learning
from . import shared_settings as shared
from .system import FROM_RESULT, Group, Picture, Stage, System, setting

SUBJECT = Group("subject_learning", "Learning the Subject")
FIELD = Group("field", "Field")
GUIDANCE = Group("guidance", "Prompt")
VIEWS = Group("views", "Imagined Views")
TERMS = Group("field_terms", "Smoothness")
EDIT = Group("field_edit", "Edit by Text")
MESH = Group("field_mesh", "Mesh and Points")

MOST_PHOTOS = 50
MOST_VIEWS = 20  # that can be replaced in the panel; the paper's number


# fmt: off
@dataclass(frozen=True)
class DreamBooth3DSettings:
    """Everything that a preset chooses, and a request can override by name."""

    # In the prompt before the class; a word that no text has.
    token: str = setting(SUBJECT, "sks", "Token", "The rare word that comes to mean the subject, beside what it is")
    subject_class: str = setting(
        SUBJECT, "", "Class", "What the subject is, in the words of the prompt: bear; empty finds it there",
    )
    matting: str = setting(
        SUBJECT, "embedded", "Cut Out By",
        "What finds the subject in a photo: embedded, colours (along the border), or a folder with Segment Anything",
    )
    # The paper's photos have no cameras.
    photo_cameras: bool = setting(
        SUBJECT, True, "Find Cameras",
        "Find out from where each photo was taken, by asking the prior, if it can be told of cameras", paper=False,
    )
    # The paper's 150, 800 and 150 are of Imagen; for the embedded prior docs/dreambooth3d.md.
    partial_steps: int = setting(
        SUBJECT, 60, "Steps, Partly",
        "How long the prior learns from the photos before it shapes the first object: its kind, from all sides",
        1, 2_000, bench=20, standard=75, paper=150,
    )
    full_steps: int = setting(
        SUBJECT, 120, "Steps, Fully",
        "How long it learns, all in all, before it redraws views: the subject itself, but as the photos show it",
        1, 4_000, bench=40, standard=160, paper=800,
    )
    multi_view_steps: int = setting(
        SUBJECT, 40, "Steps, Views",
        "How long the partly taught prior then learns from photos and imagined views", 1, 2_000,
        bench=8, standard=75, paper=150,
    )
    # Not published. For the embedded prior docs/dreambooth3d.md.
    tuning_rate: float = learning.tuning_rate(SUBJECT, paper=2e-5)
    tuning_whole: str = learning.tuning_whole(SUBJECT)
    tuning_rank: int = learning.tuning_rank(SUBJECT)
    tuning_text_encoder: bool = learning.tuning_text_encoder(SUBJECT, paper=False)
    # Gamma; Hang et al.'s is 5.
    tuning_min_snr: float = setting(
        SUBJECT, 0.0, "Even Noise", "Least weight of what is learnt at little noise; 0 counts every level alike", 0, 20,
    )
    tuning_batch: int = setting(
        SUBJECT, 4, "Photos per Step", "How many photos, and as many pictures of the class, are in a step", 1, 16,
        bench=2,
    )
    class_pictures: int = learning.class_pictures(SUBJECT, 24, bench=4, standard=48, paper=200)
    class_weight: float = learning.class_weight(SUBJECT)

    # Neither the paper nor DreamBooth says from where they are seen.
    class_views: bool = setting(
        SUBJECT, True, "Keep the Sides",
        "Draw the class pictures from known sides, if the prior can be told, so that it does not forget sides; "
        "together, where it can draw several views of one object", paper=False,
    )

    # The paper does not say; DreamFusion's.
    coarse_steps: int = setting(
        FIELD, 120, "Steps, First", "How often the first object is changed, from which views are imagined", 1, 20_000,
        bench=16, standard=300, paper=10_000,
    )
    final_steps: int = setting(
        FIELD, 120, "Steps, Final", "How often the final object is changed", 1, 20_000,
        bench=16, standard=300, paper=10_000,
    )
    nodes: int = field.nodes(FIELD)
    view_size: int = field.view_size(FIELD)
    field_rate: float = field.field_rate(FIELD)
    field_rate_end: float = field.field_rate_end(FIELD)
    field_memory: float = field.field_memory(FIELD)
    radius: float = setting(FIELD, 0.5, "First Radius", "Radius of the soft ball that the object begins as", 0.05, 1)
    # The paper has neither. Of a photo of which the camera is known; held to it where the prompt says no
    # more than what the subject is.
    guessed_sides: bool = shared.guessed_sides(FIELD, "otherwise from a ball")
    imagined_sides: float = setting(
        FIELD, 5.0, "Guessed Sides", "How firmly the object is held to what is guessed behind a photo", 0, 100,
        paper=0.0,
    )
    # threestudio's are 0.2, then 0.75 of the views, of which half are without colour.
    unlit: float = field.unlit(FIELD, 0.4, paper=0.2)
    lit: float = field.lit(FIELD, paper=0.75)
    textureless: float = field.textureless(FIELD, paper=0.5)
    backdrop: str = setting(
        FIELD, "greys", "Backdrop", "What is behind the object while it is shaped",
        choices=(
            ("greys", "Greys", "White or a light grey, another one in each step"),
            ("white", "White", "White, always"),
            ("learned", "Learned", "One colour that is learnt with the object"),
        ),
    )
    # The paper begins anew.
    warm_start: bool = setting(
        FIELD, False, "Go On From First", "Begin the final object from the first one, not from a ball",
    )

    loss: str = field.loss(GUIDANCE)
    weight: str = field.weight(GUIDANCE)
    scale: float = setting(
        GUIDANCE, 15.0, "Prompt Strength",
        "How strongly the prompt pulls; too much over-saturates, too little leaves fog", 0, 200, paper=100.0,
    )
    # The paper says one for both. The redrawn views have the shape already, and strong guidance the wrong colours.
    final_scale: float = setting(
        GUIDANCE, 4.0, "Prompt Strength, Final", "The same for the final object, which has redrawn views to keep to",
        0, 200, paper=100.0,
    )
    views: int = setting(GUIDANCE, 4, "Views per Step", "How many sides are looked at in each step", 1, 8)
    views_at_once: int = setting(
        GUIDANCE, 0, "Views at Once",
        "How many of them are encoded together; fewer need less memory, 0 decides by their size", 0, 8,
    )
    small_encoder: bool = shared.small_encoder(GUIDANCE)
    lambda_sds: float = setting(
        GUIDANCE, 1.0, "Guidance", "Weight of what the prior says, against everything else", 0, 10,
    )
    delta_t: int = field.delta_t(GUIDANCE)
    reuse: int = shared.reuse(GUIDANCE)
    warmup: float = setting(
        GUIDANCE, 0.5, "Warm-Up", "Share of the steps in which the noise goes from coarse to fine", 0, 1,
    )
    camera_tokens: bool = field.camera_tokens(GUIDANCE)
    # MVDream's; the paper has none.
    joint_views: bool = setting(
        GUIDANCE, True, "Views Together",
        "Let the prior see all views of a step together, and those that are redrawn, if it can; otherwise each by "
        "itself", paper=False,
    )
    perp_neg: float = field.perp_neg(GUIDANCE)
    low_elevation: float = field.low_elevation(GUIDANCE)
    high_elevation: float = field.high_elevation(GUIDANCE, 45.0)

    pseudo_views: int = setting(
        VIEWS, 12, "Views", "How many views of the first object the fully taught prior redraws", 1, 100,
        bench=4, standard=20, paper=20,
    )
    # The paper's t_pseudo is not published.
    pseudo_noise: float = setting(
        VIEWS, 0.5, "Redraw", "How much noise they are redrawn from: 0 leaves them, 1 keeps next to nothing", 0, 1,
    )
    pseudo_steps: int = setting(
        VIEWS, 30, "Steps", "Steps of the redrawing, for all noise; at half the noise it takes half of them", 1, 200,
        bench=12, paper=50,
    )
    pseudo_scale: float = setting(VIEWS, 4.0, "Prompt Strength", "How strongly the prompt pulls in it", 0, 30)
    # "Weak": the views contradict each other.
    reconstruction: float = setting(
        VIEWS, 30.0, "Keep to the Views", "Weight of the redrawn views' colours in the final object", 0, 100,
        paper=1.0,
    )
    photo_weight: float = setting(
        VIEWS, 30.0, "Keep to the Photos",
        "Weight of the photos' colours in the final object, where it is known from where they were taken and the "
        "prompt says no more than what the subject is", 0, 100,
        paper=0.0,
    )
    # The paper has none. A side that no photo shows has the colours of the class otherwise.
    palette: float = setting(
        VIEWS, 10.0, "Photos' Colours",
        "Weight of the photos' colours on every side, where the prompt says no more than what the subject is", 0, 100,
        paper=0.0,
    )
    reconstruction_views: int = setting(
        VIEWS, 2, "Views per Step", "How many of the redrawn views are compared in each step", 1, 8,
    )

    sparsity: float = field.sparsity(TERMS)
    entropy: float = field.entropy(TERMS)
    orientation: float = field.orientation(TERMS)
    distortion: float = field.distortion(TERMS)
    smoothness: float = field.smoothness(TERMS)
    variation: float = field.variation(TERMS)

    edit_steps: int = setting(
        EDIT, 80, "Steps", "How often the field of a result is changed by new words", 1, 20_000, bench=12, standard=160,
        paper=2_000,
    )
    edit_scale: float = setting(
        EDIT, 7.5, "Prompt Strength", "How strongly the new words pull, against the old ones", 0, 200,
    )
    edit_redraw: float = setting(
        EDIT, 0.7, "Redraw", "How much noise its views are redrawn from by the new words", 0, 1,
    )

    mesh_resolution: int = shared.mesh_resolution(MESH)
    max_faces: int = shared.max_faces(MESH)
    texture_size: int = shared.texture_size(MESH)
    origin: str = shared.origin(MESH)
    height: float = shared.height(MESH)
    mirror: str = shared.mirror(MESH)
    texture_steps: int = setting(
        MESH, 10, "Texture Steps",
        "How often the texture is corrected until the mesh looks like the field; 0 leaves it as painted", 0, 200,
    )
    points: int = setting(
        MESH, 20_000, "Points", "How many points are drawn from the mesh's surface, where points are asked for", 100,
        1_000_000, bench=4_000,
    )
# fmt: on


DREAMBOOTH3D = System(
    "dreambooth3d",
    "Subject from Photos",
    "Three to six photos of one subject and a description become that subject in a new pose, colour or material",
    DreamBooth3DSettings,
    stages=(
        Stage(
            "cutouts",
            "Cutting Out",
            seconds=1.0,
            leaves=tuple(
                Picture(f"photo-{number:02}.png", f"Photo {number}", "The subject alone, as the prior learns it")
                for number in range(1, MOST_PHOTOS + 1)
            ),
            stop="Cut-Outs",
            kept="photos",
        ),
        Stage(
            "places",
            "Finding Cameras",
            seconds=10.0,
            comes=lambda roles, settings: settings.photo_cameras,
            kept="places",
        ),
        Stage(
            "classes",
            "Drawing the Class",
            seconds=4.0,
            comes=lambda roles, settings: settings.class_weight > 0,
            kept="classes",
        ),
        Stage("teaching", "Learning the Subject", seconds=45.0, kept="taught"),
        Stage("coarse", "First Object", seconds=35.0, comes=lambda roles, settings: FROM_RESULT not in roles),
        Stage(
            "redrawn",
            "Redrawing Views",
            seconds=8.0,
            leaves=tuple(
                Picture(f"view-{number:02}.png", f"View {number}", "A view of the first object, redrawn as the subject")
                for number in range(1, MOST_VIEWS + 1)
            ),
            stop="Imagined Views",
        ),
        Stage("reteaching", "Learning the Views", seconds=15.0),
        Stage("refined", "Final Object", seconds=40.0),
        Stage("mesh", "Making the Mesh", seconds=8.0),
    ),
    roles=("subject",),
    can_be_edited=True,
    edit_stage="refined",
    mesh_settings=(*shared.OF_THE_MESH, "points"),
    fewest_images=2,
    too_few=(
        "A subject takes 3 to 6 photos, 2 at least: add some. From a single one 'Object from One Image' makes it."
    ),
)
