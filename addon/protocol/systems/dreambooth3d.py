"""DreamBooth3D as its requests, the panel and the backend know it: what can be set, and the stages of a job.

Source of what the comments call the paper's: Raj et al., DreamBooth3D (arXiv 2303.13508); docs/dreambooth3d.md
compares.
"""

from __future__ import annotations

from dataclasses import dataclass

from .guidance_choices import LOSSES, NOISE_WEIGHTS
from .shared_settings import height, max_faces, mesh_resolution, origin, texture_size
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
        SUBJECT, 50, "Steps, Partly",
        "How long the prior learns from the photos before it shapes the first object: its kind, from all sides",
        1, 2_000, bench=8, standard=75, paper=150,
    )
    full_steps: int = setting(
        SUBJECT, 120, "Steps, Fully",
        "How long it learns, all in all, before it redraws views: the subject itself, but as the photos show it",
        1, 4_000, bench=16, standard=200, paper=800,
    )
    multi_view_steps: int = setting(
        SUBJECT, 40, "Steps, Views",
        "How long the partly taught prior then learns from photos and imagined views", 1, 2_000,
        bench=8, standard=75, paper=150,
    )
    # Not published; 800 steps at this one are as far as 160 at the other, where the embedded prior begins to burn.
    tuning_rate: float = setting(
        SUBJECT, 1e-4, "Rate", "How fast the prior learns; too fast forgets what such things look like", 1e-9, 0.01,
        paper=2e-5,
    )
    tuning_whole: str = setting(
        SUBJECT, "auto", "What Learns", "All of the prior's weights, or small changes beside them",
        choices=(
            ("auto", "By Its Size", "All weights of a small prior, small changes beside those of a large one"),
            ("all", "All Weights", "As in the paper; needs much memory with a large prior"),
            ("lora", "Small Changes", "A LoRA: little memory, small files"),
        ),
    )
    tuning_rank: int = setting(SUBJECT, 16, "Rank", "Size of the small changes, where those are taught", 1, 128)
    tuning_text_encoder: bool = setting(SUBJECT, False, "Teach Words", "Teach the network that reads the prompt, too")
    # Gamma; Hang et al.'s is 5.
    tuning_min_snr: float = setting(
        SUBJECT, 0.0, "Even Noise", "Least weight of what is learnt at little noise; 0 counts every level alike", 0, 20,
    )
    tuning_batch: int = setting(
        SUBJECT, 4, "Photos per Step", "How many photos, and as many pictures of the class, are in a step", 1, 16,
        bench=2,
    )
    class_pictures: int = setting(
        SUBJECT, 24, "Class Pictures", "Pictures of the class that the prior draws beforehand, not to forget it",
        1, 400, bench=4, standard=48, paper=200,
    )
    class_weight: float = setting(
        SUBJECT, 1.0, "Keep the Class", "Weight of those pictures; 0 draws none, and the sides may be forgotten", 0, 4,
    )

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
    nodes: int = setting(
        FIELD, 96, "Nodes", "Points along a side of the grid in the end; it begins with a third of them", 6, 192,
        bench=48,
    )
    view_size: int = setting(
        FIELD, 64, "View Size", "Pixels of a view of the field, scaled for the prior; more is sharper and slower",
        8, 512, unit="pixels",
    )
    field_rate: float = setting(
        FIELD, 0.2, "Rate", "How fast density and colour change at first", 1e-9, 1, paper=0.05,
    )
    field_rate_end: float = setting(FIELD, 0.2, "Rate Left", "Share of that rate that is left in the end", 1e-9, 1)
    # Adam's beta_2.
    field_memory: float = setting(
        FIELD, 0.99, "Memory", "How long the usual size of a change is remembered; 0.99 is a hundred steps", 0, 0.9999,
    )
    radius: float = setting(FIELD, 0.5, "First Radius", "Radius of the soft ball that the object begins as", 0.05, 1)
    # threestudio's are 0.2, then 0.75 of the views, of which half are without colour.
    unlit: float = setting(
        FIELD, 0.4, "Unlit Share", "Share of the steps at first in which colours are seen without any light", 0, 1,
        paper=0.2,
    )
    lit: float = setting(
        FIELD, 0.25, "Lit Views", "Share of the steps after that in which a light shows the shape", 0, 1, paper=0.75,
    )
    textureless: float = setting(
        FIELD, 0.2, "White Shape", "Share of those in which the shape is lit without its colours", 0, 1, paper=0.5,
    )
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

    loss: str = setting(
        GUIDANCE, "sds", "Loss", "What turns the prior's opinion of the views into changes of the object",
        choices=LOSSES,
    )
    # DreamFusion's, for every loss.
    weight: str = setting(
        GUIDANCE, "sds", "Weight by Noise", "How much the opinion counts at each noise level, whichever the loss",
        choices=NOISE_WEIGHTS,
    )
    scale: float = setting(
        GUIDANCE, 15.0, "Prompt Strength",
        "How strongly the prompt pulls; too much over-saturates, too little leaves fog", 0, 200, paper=100.0,
    )
    views: int = setting(GUIDANCE, 4, "Views per Step", "How many sides are looked at in each step", 1, 8)
    views_at_once: int = setting(
        GUIDANCE, 0, "Views at Once",
        "How many of them are encoded together; fewer need less memory, 0 decides by their size", 0, 8,
    )
    lambda_sds: float = setting(
        GUIDANCE, 1.0, "Guidance", "Weight of what the prior says, against everything else", 0, 10,
    )
    delta_t: int = setting(
        GUIDANCE, 100, "Noise Stride", "Distance between two noise levels of ISM and CSM; shorter takes longer", 1, 400,
    )
    warmup: float = setting(
        GUIDANCE, 0.5, "Warm-Up", "Share of the steps in which the noise goes from coarse to fine", 0, 1,
    )
    # Stable Diffusion takes none.
    camera_tokens: bool = setting(
        GUIDANCE, True, "Tell Camera",
        "Tell the prior where the camera is, if it can take that; otherwise it is told in words", paper=False,
    )
    # MVDream's; the paper has none.
    joint_views: bool = setting(
        GUIDANCE, True, "Views Together",
        "Let the prior see all views of a step together, and those that are redrawn, if it can; otherwise each by "
        "itself", paper=False,
    )
    perp_neg: float = setting(
        GUIDANCE, 0.0, "Against Other Sides",
        "Weight against the front and side where another side is in view (Perp-Neg); takes longer", 0, 4,
    )
    low_elevation: float = setting(
        GUIDANCE, -10.0, "Lowest View", "Least height of the views around the object", -90, 90, unit="degrees",
    )
    high_elevation: float = setting(
        GUIDANCE, 45.0, "Highest View", "Greatest height of the views around the object", -90, 90, unit="degrees",
    )

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
        VIEWS, 1.0, "Keep to the Views", "Weight of the redrawn views' colours in the final object", 0, 100,
    )
    photo_weight: float = setting(
        VIEWS, 1.0, "Keep to the Photos",
        "Weight of the photos' colours in the final object, where it is known from where they were taken and the "
        "prompt says no more than what the subject is", 0, 100,
        paper=0.0,
    )
    reconstruction_views: int = setting(
        VIEWS, 2, "Views per Step", "How many of the redrawn views are compared in each step", 1, 8,
    )

    sparsity: float = setting(TERMS, 0.02, "Emptiness", "Weight against anything being there at all", 0, 10)
    entropy: float = setting(
        TERMS, 0.02, "Solidity", "Weight against half-transparent parts; less leaves fog", 0, 4,
    )
    orientation: float = setting(TERMS, 0.02, "Facing", "Weight against surfaces that face away but are seen", 0, 10)
    # Mip-NeRF 360's 0.01.
    distortion: float = setting(TERMS, 0.1, "Thin Surfaces", "Weight against density spread along a ray", 0, 10)
    smoothness: float = setting(TERMS, 0.02, "Surface Evenness", "Weight against noise in its direction", 0, 10)
    variation: float = setting(TERMS, 1e-3, "Grid Evenness", "Weight against noise in density and colour", 0, 1)

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

    mesh_resolution: int = mesh_resolution(MESH)
    max_faces: int = max_faces(MESH)
    texture_size: int = texture_size(MESH)
    origin: str = origin(MESH)
    height: float = height(MESH)
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
    fewest_images=2,
    too_few=(
        "A subject takes 3 to 6 photos, 2 at least: add some. From a single one 'Object from One Image' makes it."
    ),
)
