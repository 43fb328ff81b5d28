"""What the add-on knows of each system: presets, stages to stop after, and the settings behind a preset. No bpy.

The backend has the same values beside the code that reads them, which Blender's Python cannot import; a test holds the
two together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from . import protocol


@dataclass(frozen=True)
class Setting:
    """One number, switch or text: its value in the preset `draft`, what other presets make of it, the least it may be.

    The type of `value` is the type of the setting. `most` bounds the slider, not what can be typed. `choices` of a text
    are value, label and tooltip each; without them it can be typed.
    """

    name: str
    label: str
    description: str
    value: protocol.Setting
    least: float = 0.0
    most: float | None = None
    presets: dict[str, protocol.Setting] = field(default_factory=dict)
    choices: tuple[tuple[str, str, str], ...] = ()

    def preset(self, name: str) -> protocol.Setting:
        """Return the value in a preset."""
        return self.presets.get(name, self.value)


@dataclass(frozen=True)
class Group:
    """Settings that belong together, under a heading."""

    name: str
    label: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class System:
    """One way of making an object, as the artist knows it. `stops`: stage of the backend -> what it leaves."""

    name: str
    label: str
    description: str
    groups: tuple[Group, ...]
    stops: dict[str, str]
    roles: tuple[str, ...]  # of images, as the protocol knows them; the first is what an image is at first

    @property
    def settings(self) -> dict[str, Setting]:
        """Return all settings by name."""
        return {setting.name: setting for group in self.groups for setting in group.settings}


PRESETS = {
    "bench": ("Quick Test", "The shortest run there is: the right thing, roughly, in less than a minute"),
    "draft": ("Draft", "A first look: few steps and a coarse mesh, minutes on two processor cores"),
    "standard": ("Standard", "More steps and a finer mesh; about four times as long as a draft"),
    "paper": ("Paper", "The numbers of the paper that the system follows: hours without a graphics card"),
}

TV3DG = System(
    "tv3dg",
    "Prompt and Style",
    "A description, and if you like an image of the object, become a point cloud and a textured mesh",
    (
        Group(
            "optimisation",
            "Optimisation",
            (
                Setting(
                    "steps", "Steps", "How often the object is changed; the time of a job grows with it",
                    200, 1, 4_000, {"bench": 40, "standard": 800, "paper": 4_000},
                ),
                Setting("views", "Views per Step", "How many sides are looked at in each step", 4, 1, 8),
                Setting(
                    "views_at_once", "Views at Once",
                    "How many of them are encoded together; fewer need less memory, 0 decides by their size", 0, 0, 8,
                ),
                Setting(
                    "scale", "Prompt Strength",
                    "How strongly the prompt pulls; too much over-saturates, too little leaves fog", 7.5, 0, 30,
                ),
                Setting("guidance", "Guidance", "Weight of what the prior says, against everything else", 1.0, 0, 10),
                Setting(
                    "difference", "Likelihood",
                    "Weight of the pull to what the prior finds likely; none over-saturates", 1.0, 0, 4, {"paper": 0.0},
                ),
                Setting(
                    "delta_t", "Noise Stride",
                    "Distance between the two noise levels that are compared; shorter takes longer",
                    100, 1, 200, {"paper": 50},
                ),
                Setting(
                    "warmup", "Warm-Up", "Share of the steps in which the noise goes from coarse to fine", 1 / 3, 0, 1
                ),
                Setting(
                    "camera_tokens", "Tell Camera",
                    "Tell the prior where the camera is, if it can take that; otherwise it is told in words",
                    True, presets={"paper": False},
                ),
                Setting(
                    "low_elevation", "Lowest View", "Least height of the views around the object, in degrees",
                    -10.0, -90, 90,
                ),
                Setting(
                    "high_elevation", "Highest View", "Greatest height of the views around the object, in degrees",
                    45.0, -90, 90,
                ),
                Setting("mean_rate", "Position Rate", "How fast points move at first", 8e-3, 1e-9, 0.1),
                Setting("colour_rate", "Colour Rate", "How fast points change colour at first", 2e-2, 1e-9, 0.2),
            ),
        ),
        Group(
            "prompts",
            "Prompt and Style",
            (
                Setting(
                    "tau", "Style Strength", "How strongly an image of style or likeness pulls; 0 is the prompt alone",
                    0.5, 0, 2,
                ),
                Setting(
                    "self_guidance", "Imagine a Style",
                    "Without such an image, take the reference as one, else one that the prior draws first",
                    False, presets={"paper": True},
                ),
                Setting(
                    "loss", "Loss", "What turns the prior's opinion of the views into changes of the object", "vpcsm",
                    choices=(
                        ("sds", "SDS", "Score distillation sampling, of DreamFusion"),
                        ("csd", "CSD", "Classifier score distillation"),
                        ("ism", "ISM", "Interval score matching, of LucidDreamer"),
                        ("vsd", "VSD", "Variational score distillation, of ProlificDreamer; takes longer"),
                        ("csm", "CSM", "Consistent score matching: no random noise"),
                        ("vpcsm", "VPCSM", "Consistent score matching that sees a visual prompt"),
                    ),
                ),
                Setting(
                    "perturbation", "Structure", "Weight of the pull away from what has no structure; takes longer",
                    0.0, 0, 5, {"paper": 1.0},
                ),
                Setting(
                    "perturbed_layers", "Structure Layers",
                    "Where the prior's attention is perturbed: beginnings of layers' names, with commas", "mid_block",
                ),
                Setting(
                    "perp_neg", "Against Other Sides",
                    "Weight against the front and side where another side is in view (Perp-Neg); takes longer",
                    0.0, 0, 4,
                ),
                Setting(
                    "particle_rank", "Learner's Rank",
                    "Size of the changes by which VSD's second network learns the object", 4, 1, 64,
                ),
                Setting(
                    "particle_rate", "Learner's Rate", "How fast VSD's second network learns the object",
                    1e-4, 1e-9, 0.01,
                ),
                Setting(
                    "paper_compat", "As Printed",
                    "Also do what the paper prints by mistake, to compare with it; not for better results", False,
                ),
                Setting(
                    "adapter", "Image Adapter",
                    "File or folder of an IP-Adapter for a prior of your own; empty for the embedded one", "",
                ),
            ),
        ),
        Group(
            "calibration",
            "Calibration",
            (
                Setting(
                    "calibration_geometry", "Geometry",
                    "Weight of depth and direction as four imagined sides show them; takes longer",
                    0.0, 0, 10, {"paper": 1.0},
                ),
                Setting(
                    "calibration_semantics", "Semantics", "Weight of the features that four imagined sides show",
                    0.0, 0, 20, {"paper": 4.0},
                ),
                Setting(
                    "calibration_reward", "Reward",
                    "Weight of what a network trained to judge thinks of four sides and the prompt",
                    0.0, 0, 20, {"paper": 2.5},
                ),
                Setting(
                    "calibrate_every", "Every", "Number of steps between two calibrations; more saves time", 1, 1, 50
                ),
                Setting(
                    "reward_shapes", "Reward Moves Points",
                    "Let the reward move the points, too, as the paper does; otherwise their colours only",
                    False, presets={"paper": True},
                ),
                Setting(
                    "rendered_geometry", "Points' Own Geometry",
                    "Compare the points' own depth and direction; otherwise what a network sees in their picture",
                    True, presets={"paper": False},
                ),
                Setting(
                    "multi_view", "Sides From", "Who imagines the four sides that the object is held to", "prior",
                    choices=(
                        ("prior", "Prior", "The prior that guides, told where the camera is"),
                        ("zero123", "Zero-1-to-3", "A network that turns the visual prompt"),
                    ),
                ),
                Setting(
                    "companions", "Companions",
                    "Folder of the networks asked, for a prior of your own; empty for the embedded ones", "",
                ),
            ),
        ),
        Group(
            "edit",
            "Edit by Text",
            (
                Setting(
                    "edit_steps", "Steps", "How often a result is changed that is edited by text",
                    80, 1, 1_000, {"bench": 40},
                ),
                Setting("edit_scale", "Prompt Strength", "How strongly the new words pull in an edit", 4.0, 0, 30),
                Setting(
                    "edit_contrast", "Against the Old Prompt",
                    "Pull away from the old words, so that only those that differ do anything", True,
                ),
                Setting(
                    "edit_grow_gradient", "Growth Threshold",
                    "A point that is pulled harder than this is split in an edit; less gives more points",
                    8e-3, 0, 0.02,
                ),
                Setting(
                    "edit_delta_t", "Noise Stride",
                    "Distance between two noise levels of an edit; shorter takes longer",
                    200, 1, 400, {"standard": 100, "paper": 50},
                ),
                Setting(
                    "edit_room", "Room", "Size of the object while it is edited; less leaves room for new parts",
                    0.85, 0.1, 1,
                ),
                Setting(
                    "edit_redraw", "Redraw",
                    "How much noise the four sides are redrawn from; less keeps more, 0 leaves the redrawing out",
                    0.8, 0, 1,
                ),
                Setting(
                    "edit_sides", "Redrawn Sides", "Weight of the redrawn sides, colours and alpha",
                    20.0, 0, 100,
                ),
                Setting("anchor", "Keep Colour", "Weight of the old colours where the words do not pull", 4.0, 0, 50),
                Setting(
                    "anchor_mask", "Keep Outline", "Weight of the old outline where the words do not pull", 4.0, 0, 50
                ),
            ),
        ),
        Group(
            "gaussians",
            "Points",
            (
                Setting(
                    "count", "At First", "How many points the job begins with", 2_000, 8, 20_000, {"bench": 1_000}
                ),
                Setting(
                    "max_count", "At Most", "How many points there may be in the end", 8_000, 8, 100_000,
                    {"bench": 2_000, "standard": 14_000, "paper": 20_000},
                ),
                Setting(
                    "start", "First Shape", "What the points begin as", "sides",
                    choices=(
                        ("sides", "Four Sides", "The shape that four sides have in common which the prior imagines"),
                        ("ball", "Ball", "A ball in the main colour of the image, or grey"),
                    ),
                ),
                Setting("start_opacity", "First Opacity", "How solid the points of that shape are", 0.5, 0.01, 0.99),
                Setting("radius", "First Radius", "Radius of the ball of points at the start", 0.5, 0.01, 1),
                Setting(
                    "grow_gradient", "Growth Threshold",
                    "A point that is pulled harder than this is split; less gives more points", 2e-3, 0, 0.02,
                ),
                Setting("densify_every", "Grow Every", "Number of steps between two rounds of splitting", 40, 1, 500),
            ),
        ),
        Group(
            "terms",
            "Smoothness",
            (
                Setting("variation", "Colour Evenness", "Weight against noise in the colours", 1.0, 0, 10),
                Setting("smoothness", "Surface Evenness", "Weight against noise in depth and direction", 1.0, 0, 10),
                Setting("size_penalty", "Fine Points", "Weight against large points", 1.0, 0, 10),
                Setting("entropy", "Solidity", "Weight against half-transparent parts; less leaves fog", 0.4, 0, 4),
                Setting("colour_range", "Colour Range", "Weight against colours that cannot be shown", 10.0, 0, 50),
            ),
        ),
        Group(
            "reference",
            "Likeness",
            (
                Setting("reference", "Colour", "Weight of the colours of the reference image", 20.0, 0, 100),
                Setting("reference_mask", "Outline", "Weight of the outline of the reference image", 20.0, 0, 100),
            ),
        ),
        Group(
            "mesh",
            "Mesh",
            (
                Setting(
                    "mesh_resolution", "Resolution", "Cells along one side of the grid that the mesh is made from",
                    112, 16, 256, {"bench": 64, "standard": 144, "paper": 144},
                ),
                Setting(
                    "max_faces", "Faces at Most", "The mesh is simplified to this many triangles", 12_000, 100, 100_000,
                    {"bench": 4_000, "standard": 20_000, "paper": 20_000},
                ),
                Setting(
                    "texture_size", "Texture Size", "Pixels along one side of the texture", 1024, 32, 4096,
                    {"bench": 512},
                ),
            ),
        ),
    ),
    {"perceive": "Cut-Out", "imagine": "Visual Prompt", "sides": "Four Sides"},
    ("reconstruct", "visual_prompt"),
)  # fmt: skip

SYSTEMS = {system.name: system for system in (TV3DG,)}  # only what this version can do

ROLES = {  # of the protocol -> what the artist reads
    "reconstruct": ("Object", "The object itself: the result looks like this from there"),
    "subject": ("Photo", "One of several photos of the subject, from any side"),
    "visual_prompt": ("Style or Likeness", "Something that the result is to be like, seen from nowhere in particular"),
}
assert tuple(ROLES) == protocol.ROLES

STAGES = {  # of the backend -> what the artist reads while it runs
    "perceive": "Cutting Out",
    "imagine": "Imagining",
    "sides": "Imagining Sides",
    "gaussians": "Optimising",
    "mesh": "Making the Mesh",
}
