"""TV-3DG as its requests, the panel and the backend know it: what can be set, and the stages of a job.

Source of what the comments call the paper's: Yang et al., TV-3DG (arXiv 2410.21299); docs/tv3dg.md compares.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import shared_settings as shared
from .guidance_choices import LOSSES, NOISE_WEIGHTS, WITH_VISUAL_PROMPT
from .system import Former, Group, Picture, Stage, System, setting

OPTIMISATION = Group("optimisation", "Optimisation")
RATES = Group("rates", "Rates")
PROMPTS = Group("prompts", "Prompt and Style")
CALIBRATION = Group("calibration", "Calibration")
EDIT = Group("edit", "Edit by Text")
GAUSSIANS = Group("gaussians", "Points")
TERMS = Group("terms", "Smoothness")
REFERENCE = Group("reference", "Likeness")
MESH = Group("mesh", "Mesh")


# fmt: off
@dataclass(frozen=True)
class TV3DGSettings:
    """Everything that a preset chooses, and a request can override by name."""

    steps: int = setting(
        OPTIMISATION, 200, "Steps", "How often the object is changed; the time of a job grows with it", 1, 4_000,
        bench=40, standard=800, paper=4_000,
    )
    # Evenly around.
    views: int = setting(OPTIMISATION, 4, "Views per Step", "How many sides are looked at in each step", 1, 8)
    # Through the encoder and back; 0: all up to 256 px, one above, for less memory.
    views_at_once: int = setting(
        OPTIMISATION, 0, "Views at Once",
        "How many of them are encoded together; fewer need less memory, 0 decides by their size", 0, 8,
    )
    small_encoder: bool = shared.small_encoder(OPTIMISATION)
    # The paper's lambda.
    scale: float = setting(
        OPTIMISATION, 7.5, "Prompt Strength",
        "How strongly the prompt pulls; too much over-saturates, too little leaves fog", 0, 30,
    )
    # LucidDreamer's: of a sum over views and latents. backend/systems/tv3dg/weights.py has the unit of the others.
    lambda_guidance: float = setting(
        OPTIMISATION, 0.1, "Guidance", "Weight of what the prior says, against everything else", 0, 1,
    )
    # The paper has none and saturates.
    difference: float = setting(
        OPTIMISATION, 1.0, "Likelihood", "Weight of the pull to what the prior finds likely; none over-saturates",
        0, 4, paper=0.0,
    )
    # The paper's 50 costs twice as much; its table II finds 100 as good.
    delta_t: int = setting(
        OPTIMISATION, 100, "Noise Stride",
        "Distance between the two noise levels that are compared; shorter takes longer", 1, 200, paper=50,
    )
    reuse: int = shared.reuse(OPTIMISATION)
    # The window of timesteps slides over these steps.
    warmup: float = setting(
        OPTIMISATION, 1 / 3, "Warm-Up", "Share of the steps in which the noise goes from coarse to fine", 0, 1,
    )
    # Stable Diffusion takes none.
    camera_tokens: bool = setting(
        OPTIMISATION, True, "Tell Camera",
        "Tell the prior where the camera is, if it can take that; otherwise it is told in words", paper=False,
    )
    # MVDream's; the paper has none.
    joint_views: bool = setting(
        OPTIMISATION, True, "Views Together",
        "Let the prior see all views of a step together, if it can; otherwise each by itself", paper=False,
    )
    # Nor has the paper an image of the object.
    see_reference: bool = setting(
        OPTIMISATION, True, "See the Image",
        "Show the prior the image of the object in every step, if it can look at one", paper=False,
    )
    low_elevation: float = setting(
        OPTIMISATION, -10.0, "Lowest View", "Least height of the views around the object", -90, 90, unit="degrees",
    )
    high_elevation: float = setting(
        OPTIMISATION, 45.0, "Highest View", "Greatest height of the views around the object", -90, 90, unit="degrees",
    )

    # In `paper` LucidDreamer's: 1.6e-4 times its extent of 3.5, in a world that is as large in its pictures as ours.
    mean_rate: float = setting(
        RATES, 8e-3, "Position Rate", "How fast points move at first", 1e-9, 0.1, paper=5.6e-4,
    )
    mean_rate_end: float = setting(
        RATES, 0.05, "Position Rate Left", "Share of it that is left in the end", 1e-9, 1, paper=0.01,
    )
    colour_rate: float = setting(
        RATES, 2e-2, "Colour Rate", "How fast points change colour at first", 1e-9, 0.2, paper=5e-3,
    )
    colour_rate_end: float = setting(
        RATES, 0.25, "Colour Rate Left", "Share of it that is left in the end", 1e-9, 1, paper=0.6,
    )
    size_rate: float = setting(
        RATES, 1e-2, "Size Rate", "How fast points grow or shrink at first", 1e-9, 0.1, paper=5e-3,
    )
    size_rate_end: float = setting(
        RATES, 1.0, "Size Rate Left", "Share of it that is left in the end", 1e-9, 1, paper=0.2,
    )
    turn_rate: float = setting(RATES, 1e-2, "Turn Rate", "How fast points turn at first", 1e-9, 0.1, paper=1e-3)
    turn_rate_end: float = setting(
        RATES, 1.0, "Turn Rate Left", "Share of it that is left in the end", 1e-9, 1, paper=0.2,
    )
    opacity_rate: float = setting(
        RATES, 4e-2, "Opacity Rate", "How fast points become solid or clear", 1e-9, 0.2, paper=5e-2,
    )
    # Adam's beta_2.
    memory: float = setting(
        RATES, 0.99, "Memory", "How long the usual size of a change is remembered; 0.99 is a hundred steps", 0, 0.9999,
        paper=0.999,
    )

    tau: float = setting(
        PROMPTS, 0.5, "Style Strength", "How strongly an image of style or likeness pulls; 0 is the prompt alone",
        0, 2,
    )
    self_guidance: bool = setting(
        PROMPTS, False, "Imagine a Style", "Without any image, take one that the prior draws first", paper=True,
    )
    loss: str = setting(
        PROMPTS, "vpcsm", "Loss", "What turns the prior's opinion of the views into changes of the object",
        choices=LOSSES + WITH_VISUAL_PROMPT,
    )
    # LucidDreamer's, for every loss; those of the others' papers are "sds".
    weight: str = setting(
        PROMPTS, "ism", "Weight by Noise", "How much the opinion counts at each noise level, whichever the loss",
        choices=NOISE_WEIGHTS,
    )
    # The paper's s, 1: costs an evaluation for each view.
    perturbation: float = setting(
        PROMPTS, 0.0, "Structure", "Weight of the pull away from what has no structure; takes longer", 0, 5, paper=1.0,
    )
    perturbed_layers: str = setting(
        PROMPTS, "", "Structure Layers",
        "Where the prior's attention is perturbed: beginnings of layers' names, with commas; empty for its own",
    )
    # threestudio's weight is 1: two evaluations more a view.
    perp_neg: float = setting(
        PROMPTS, 0.0, "Against Other Sides",
        "Weight against the front and side where another side is in view (Perp-Neg); takes longer", 0, 4,
    )
    # Of the low-rank changes of the attention; threestudio's.
    particle_rank: int = setting(
        PROMPTS, 4, "Learner's Rank", "Size of the changes by which VSD's second network learns the object", 1, 64,
    )
    # ProlificDreamer's and threestudio's.
    particle_rate: float = setting(
        PROMPTS, 1e-4, "Learner's Rate", "How fast VSD's second network learns the object", 1e-9, 0.01,
    )
    # docs/tv3dg.md has the table.
    paper_compat: bool = setting(
        PROMPTS, False, "As Printed",
        "Also do what the paper prints by mistake, to compare with it; not for better results",
    )
    # Nothing: the embedded one, for the embedded prior alone.
    adapter: str = setting(
        PROMPTS, "", "Image Adapter",
        "File or folder of an IP-Adapter for a prior of your own; empty for the embedded one",
    )

    # The paper's lambda_1, 1.
    calibration_geometry: float = setting(
        CALIBRATION, 0.0, "Geometry", "Weight of depth and direction as four imagined sides show them; takes longer",
        0, 10, paper=1.0,
    )
    # lambda_2, 4.
    calibration_semantics: float = setting(
        CALIBRATION, 0.0, "Semantics", "Weight of the features that four imagined sides show", 0, 20, paper=4.0,
    )
    # lambda_i, 2.5.
    calibration_reward: float = setting(
        CALIBRATION, 0.0, "Reward", "Weight of what a network trained to judge thinks of four sides and the prompt",
        0, 20, paper=2.5,
    )
    calibrate_every: int = setting(
        CALIBRATION, 1, "Every", "Number of steps between two calibrations; more saves time", 1, 50,
    )
    reward_shapes: bool = setting(
        CALIBRATION, False, "Reward Moves Points",
        "Let the reward move the points, too, as the paper does; otherwise their colours only", paper=True,
    )
    rendered_geometry: bool = setting(
        CALIBRATION, True, "Points' Own Geometry",
        "Compare the points' own depth and direction; otherwise what a network sees in their picture", paper=False,
    )
    multi_view: str = setting(
        CALIBRATION, "prior", "Sides From", "Who imagines the four sides that the object is held to",
        choices=(
            ("prior", "Prior", "The prior that guides, told where the camera is"),
            ("zero123", "Zero-1-to-3", "A network that turns the visual prompt"),
        ),
    )
    # Nothing: the embedded ones, for the embedded prior alone.
    companions: str = setting(
        CALIBRATION, "", "Companions",
        "Folder of the networks asked, for a prior of your own; empty for the embedded ones",
    )

    edit_steps: int = setting(
        EDIT, 80, "Steps", "How often a result is changed that is edited by text", 1, 1_000, bench=40,
    )
    # In the place of `scale`.
    edit_scale: float = setting(EDIT, 4.0, "Prompt Strength", "How strongly the new words pull in an edit", 0, 30)
    # Guide against the old prompt instead of the empty one: only what differs pulls.
    edit_contrast: bool = setting(
        EDIT, True, "Against the Old Prompt",
        "Pull away from the old words, so that only those that differ do anything",
    )
    # In the place of `grow_gradient`: more Gaussians leave no time to settle.
    edit_grow_gradient: float = setting(
        EDIT, 8e-3, "Growth Threshold",
        "A point that is pulled harder than this is split in an edit; less gives more points", 0, 0.02,
    )
    # In the place of `delta_t`.
    edit_delta_t: int = setting(
        EDIT, 200, "Noise Stride", "Distance between two noise levels of an edit; shorter takes longer", 1, 400,
        standard=100, paper=50,
    )
    edit_room: float = setting(
        EDIT, 0.85, "Room", "Size of the object while it is edited; less leaves room for new parts", 0.1, 1,
    )
    # The share of the noise levels from which they are redrawn.
    edit_redraw: float = setting(
        EDIT, 0.8, "Redraw",
        "How much noise the four sides are redrawn from; less keeps more, 0 leaves the redrawing out", 0, 1,
    )
    edit_sides: float = setting(EDIT, 20.0, "Redrawn Sides", "Weight of the redrawn sides, colours and alpha", 0, 100)
    # Colour and alpha of the start.
    anchor: float = setting(EDIT, 4.0, "Keep Colour", "Weight of the old colours where the words do not pull", 0, 50)
    anchor_mask: float = setting(
        EDIT, 4.0, "Keep Outline", "Weight of the old outline where the words do not pull", 0, 50,
    )

    # LucidDreamer's: 81,920 of Point-E, or 100,000 in a ball, and no bound, where threestudio has 500,000.
    count: int = setting(
        GAUSSIANS, 2_000, "At First", "How many points the job begins with", 8, 100_000, bench=3_000,
        paper=80_000,
    )
    max_count: int = setting(
        GAUSSIANS, 8_000, "At Most", "How many points there may be in the end", 8, 500_000, bench=4_000,
        standard=14_000, paper=500_000,
    )
    # A ball also where the prior takes no cameras.
    start: str = setting(
        GAUSSIANS, "sides", "First Shape", "What the points begin as",
        choices=(
            ("sides", "Four Sides", "The shape that four sides have in common which the prior imagines"),
            ("ball", "Ball", "A ball in the main colour of the image, or grey"),
        ),
    )
    # Those of a ball have 0.1.
    start_opacity: float = setting(
        GAUSSIANS, 0.5, "First Opacity", "How solid the points of that shape are", 0.01, 0.99, paper=0.1,
    )
    # Of the mean distance to three neighbours; a short run has no steps to make them smaller.
    start_size: float = setting(
        GAUSSIANS, 1.0, "First Size", "How large the points of that shape are, in distances to the next ones", 0.1, 3,
        bench=0.6,
    )
    # In world units, in which an object has a radius of 0.92.
    radius: float = setting(GAUSSIANS, 0.5, "First Radius", "Radius of the ball of points at the start", 0.01, 1)
    grow_gradient: float = setting(
        GAUSSIANS, 2e-3, "Growth Threshold",
        "A point that is pulled harder than this is split; less gives more points", 0, 0.02, paper=7.5e-4,
    )
    # At equal shares of the run, in its first four fifths, so that a short one grows as often.
    growth_rounds: int = setting(
        GAUSSIANS, 3, "Rounds of Growth", "How often points are split and cleared away, whatever the number of steps",
        0, 200, standard=15, paper=31,
    )
    # Kerbl et al.'s cure for what floats before the cameras; LucidDreamer's number.
    reset_every: int = setting(
        GAUSSIANS, 0, "Clear Every",
        "Number of steps between two times when all points become almost clear, while they grow; 0 is never", 0, 1_000,
        paper=300,
    )
    # 20 of 512 pixels.
    prune_size: float = setting(
        GAUSSIANS, 0.0, "Largest Point",
        "Points whose radius is a larger share of a view are taken away, while they grow; 0 keeps them", 0, 0.5,
        paper=0.039,
    )

    # As LucidDreamer's code: the numbers of these terms and of `grow_gradient` are then its numbers.
    against_sum: bool = setting(
        TERMS, False, "Against the Sum",
        "Weigh these, and growth, against the sum of all that the prior says; otherwise against its average",
        paper=True,
    )
    # Total variation of colour.
    variation: float = setting(TERMS, 1.0, "Colour Evenness", "Weight against noise in the colours", 0, 10)
    # Total variation of depth and normal inside the object.
    smoothness: float = setting(TERMS, 1.0, "Surface Evenness", "Weight against noise in depth and direction", 0, 10)
    # Mean scale of the Gaussians.
    size_penalty: float = setting(TERMS, 1.0, "Fine Points", "Weight against large points", 0, 10)
    # Of alpha.
    entropy: float = setting(
        TERMS, 0.4, "Solidity", "Weight against half-transparent parts; less leaves fog", 0, 4, paper=0.0,
    )
    # Squared excess of the base colours over [0, 1].
    colour_range: float = setting(
        TERMS, 10.0, "Colour Range", "Weight against colours that cannot be shown", 0, 50, paper=0.0,
    )

    reference: float = setting(REFERENCE, 20.0, "Colour", "Weight of the colours of the reference image", 0, 100)
    reference_mask: float = setting(REFERENCE, 20.0, "Outline", "Weight of the outline of the reference image", 0, 100)

    palette: float = shared.palette(REFERENCE, 10.0, paper=0.0)
    guessed_sides: bool = shared.guessed_sides(REFERENCE)
    # In the place of `tau`, where there is no visual prompt: the reference is one.
    reference_tau: float = setting(
        REFERENCE, 1.0, "All Sides",
        "How much the other sides are to be like the image, unless there is one of style; 0 is the prompt alone",
        0, 2, paper=0.5,
    )
    # From every side; of sides that an artist replaces, or a prior draws that sees the image: those it does not show.
    imagined_sides: float = setting(
        REFERENCE, 10.0, "Guessed Sides", "How firmly the object is held to what is guessed behind the image",
        0, 100, paper=0.0,
    )

    cut_out: str = shared.cut_out_by()
    piece: int = shared.piece()

    mesh_resolution: int = shared.mesh_resolution(MESH)
    max_faces: int = shared.max_faces(MESH)
    texture_size: int = shared.texture_size(MESH)
    origin: str = shared.origin(MESH)
    height: float = shared.height(MESH)
    mirror: str = shared.mirror(MESH)
    # Against views of the points and the given image.
    texture_steps: int = setting(
        MESH, 10, "Texture Steps",
        "How often the texture is corrected until the mesh looks like the points and the image; 0 leaves it as painted",
        0, 200,
    )
    # The sides that the prior draws keep theirs, so that the two parts differ.
    remove_light: bool = shared.remove_light(MESH)
    splats_glb: bool = shared.splats_glb(GAUSSIANS)
# fmt: on


TV3DG = System(
    "tv3dg",
    "Prompt and Style",
    "A description, and if you like an image of the object, become a point cloud and a textured mesh",
    TV3DGSettings,
    stages=(
        Stage(
            "perceive",
            "Cutting Out",
            seconds=0.5,
            leaves=(
                Picture("rgb.png", "Colour", "The picture of the object, before any background"),
                Picture("mask.png", "Mask", "White where the object is, black elsewhere"),
            ),
            stop="Cut-Out",
            comes=lambda roles, settings: "reconstruct" in roles,
        ),
        Stage(
            "imagine",
            "Imagining",
            seconds=0.5,
            leaves=(Picture("visual.png", "Visual Prompt", "What the prior will look at, beside the prompt"),),
            stop="Visual Prompt",
            comes=lambda roles, settings: (
                "visual_prompt" in roles or ("reconstruct" in roles and settings.reference_tau > 0)
            ),
        ),
        Stage(
            "sides",
            "Imagining Sides",
            seconds=2.0,
            leaves=tuple(
                Picture(
                    f"{side.lower()}.png",
                    side,
                    f"The {side.lower()} as the prior imagines it; the object begins from four sides",
                )
                for side in ("Front", "Right", "Back", "Left")
            ),
            stop="Four Sides",
            comes=lambda roles, settings: settings.start == "sides",
        ),
        Stage("gaussians", "Optimising", seconds=61.0),
        Stage("mesh", "Making the Mesh", seconds=5.0, output="mesh"),
    ),
    roles=("reconstruct", "visual_prompt", "mask"),
    can_be_edited=True,
    mesh_settings=(*shared.OF_THE_MESH, "remove_light", "splats_glb"),
    former={"guidance": Former("lambda_guidance", 0.1)},  # until guidance was a sum: 1 of the average is 0.1 of that
)
