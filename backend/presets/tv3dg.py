"""What the presets of TV-3DG choose, and what a request may override by name."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Settings:
    """Everything that a preset chooses, and a request can override by name."""

    steps: int = 200
    views: int = 4  # of one batch, evenly around
    views_at_once: int = 0  # through the encoder and back; 0: all up to 256 px, one above, for less memory
    count: int = 2_000  # Gaussians to begin with, in a ball
    max_count: int = 8_000
    grow_gradient: float = 2e-3
    densify_every: int = 40
    radius: float = 0.5  # of that ball
    start: str = "sides"  # the hull of four sides that the prior imagines; or ball, also where it takes no cameras
    start_opacity: float = 0.5  # of the Gaussians of a hull; those of a ball have 0.1
    loss: str = "vpcsm"  # or one of those it is compared with: sds, csd, ism, vsd, csm
    perp_neg: float = 0.0  # weight of what speaks against other sides, threestudio's is 1: two evaluations more a view
    particle_rank: int = 4  # of the low-rank changes by which vsd's second network learns the object; threestudio's
    particle_rate: float = 1e-4  # its learning rate; ProlificDreamer's and threestudio's
    tau: float = 0.5  # strength of the visual prompt
    self_guidance: bool = False  # without a visual prompt: take the reference, else a sample of the prior, as one
    perturbation: float = 0.0  # s, the paper's 1: costs an evaluation for each view
    perturbed_layers: str = "mid_block"  # where, by the beginnings of their names, with commas between
    adapter: str = ""  # the image prompt's file or folder; nothing: the embedded one, for the embedded prior alone
    scale: float = 7.5  # the paper's lambda
    delta_t: int = 100  # the paper's 50 costs twice as much; its table II finds 100 as good
    difference: float = 1.0  # weight of the pull to what the prior finds likely; the paper has none and saturates
    warmup: float = 1 / 3  # share of the steps over which the window of timesteps slides
    camera_tokens: bool = True  # where the prior takes them; Stable Diffusion does not
    paper_compat: bool = False  # what the paper prints by mistake, too: docs/tv3dg.md has the table
    low_elevation: float = -10.0
    high_elevation: float = 45.0
    guidance: float = 1.0
    variation: float = 1.0  # total variation of colour
    smoothness: float = 1.0  # total variation of depth and normal inside the object
    size_penalty: float = 1.0  # mean scale of the Gaussians
    entropy: float = 0.4  # of alpha: less leaves fog
    colour_range: float = 10.0  # squared excess of the base colours over [0, 1]
    calibrate_every: int = 1  # steps between two calibrations
    calibration_geometry: float = 0.0  # the paper's lambda_1, 1
    calibration_semantics: float = 0.0  # lambda_2, 4
    calibration_reward: float = 0.0  # lambda_i, 2.5
    reward_shapes: bool = False  # the reward moves the points, too; else their colours only
    rendered_geometry: bool = True  # compare the Gaussians' own depth and normal; else what the network sees in them
    multi_view: str = "prior"  # who imagines the four sides: the prior, or the companion zero123 from the visual prompt
    companions: str = ""  # the folder of the networks that calibration asks; nothing: the embedded ones
    reference: float = 20.0  # colour of the reference view
    reference_mask: float = 20.0
    mean_rate: float = 8e-3
    colour_rate: float = 2e-2
    edit_steps: int = 80  # of a job that begins from a result
    edit_scale: float = 4.0  # in the place of `scale`
    edit_delta_t: int = 200  # in the place of `delta_t`
    edit_grow_gradient: float = 8e-3  # in the place of `grow_gradient`: more Gaussians leave no time to settle
    edit_room: float = 0.85  # the start is made so small meanwhile: new parts have to fit into the view
    edit_contrast: bool = True  # guide against the old prompt instead of the empty one: only what differs pulls
    edit_redraw: float = 0.8  # share of the noise levels from which the four sides are redrawn; 0 leaves that out
    edit_sides: float = 20.0  # colour and outline of the redrawn sides
    anchor: float = 4.0  # colour of the start, where the words do not pull
    anchor_mask: float = 4.0  # alpha of the start, likewise
    mesh_resolution: int = 112
    max_faces: int = 12_000
    texture_size: int = 1024


# The least value of settings for which 0 would not do.
LEAST = {
    "steps": 1, "views": 1, "calibrate_every": 1, "count": 8, "max_count": 8, "densify_every": 1, "radius": 0.01,
    "start_opacity": 0.01, "delta_t": 1, "particle_rank": 1, "particle_rate": 1e-9, "low_elevation": -90,
    "high_elevation": -90, "mean_rate": 1e-9, "colour_rate": 1e-9, "mesh_resolution": 16, "max_faces": 100,
    "texture_size": 32, "edit_steps": 1, "edit_delta_t": 1, "edit_room": 0.1,
}  # fmt: skip
PRESETS = {
    "bench": Settings(
        steps=40, edit_steps=40, count=1_000, max_count=2_000, mesh_resolution=64, max_faces=4_000, texture_size=512
    ),
    "draft": Settings(),
    "standard": Settings(steps=800, edit_delta_t=100, max_count=14_000, mesh_resolution=144, max_faces=20_000),
    "paper": Settings(
        steps=4_000,
        delta_t=50,
        edit_delta_t=50,
        difference=0.0,
        self_guidance=True,
        perturbation=1.0,
        camera_tokens=False,
        calibration_geometry=1.0,
        calibration_semantics=4.0,
        calibration_reward=2.5,
        reward_shapes=True,
        rendered_geometry=False,
        max_count=20_000,
        mesh_resolution=144,
        max_faces=20_000,
    ),
}


def of_edit(settings: Settings) -> Settings:
    """Return the settings of a job that begins from a result.

    What the prior would imagine of the new words alone, a visual prompt or four sides, would be another object: the
    sides are redrawn from the start's.
    """
    return replace(
        settings,
        steps=settings.edit_steps,
        scale=settings.edit_scale,
        delta_t=settings.edit_delta_t,
        grow_gradient=settings.edit_grow_gradient,
        start="ball",  # not asked for, as there is something to begin from
        densify_every=max(1, settings.edit_steps // 5),  # thrice: they end at 0.8 of the steps
        self_guidance=False,
        calibration_geometry=0.0,
        calibration_semantics=0.0,
    )
