"""TV-3DG's loop on 200 Gaussians and a prior that wants one known picture, whose noise predictions are exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import torch
from torch.nn.functional import avg_pool2d

from addon import protocol
from addon.protocol.systems.tv3dg import TV3DG, TV3DGSettings
from backend.cameras import Cameras, orbit
from backend.diffusion.guidance import GuidanceOptions, guidance_for
from backend.rendering.renderer import Rendering
from backend.rendering.splats import splat_renderer
from backend.representations.gaussians import Gaussians
from backend.representations.radiance_grid import RadianceGrid, blob_grid
from backend.systems import tv3dg
from backend.systems.overrides import options_of
from backend.systems.reference import Target
from backend.systems.tv3dg.optimise import SH_CONSTANT
from backend.vision.calibration import Calibration, Sides, ViewTargets, calibration_cameras, in_camera_axes
from tests.backend.gaussian_shapes import two_coloured_shell

SIZE = 24
COLOUR = torch.tensor([0.9, 0.5, 0.2])  # of the ball that is wanted
BLOCK = 2  # pixels of a latent's side
WHITE = torch.ones(3)


@dataclass(frozen=True)
class ToyPrior:
    """Latents are small pictures. With words they are all one picture, without any they lie widely around grey."""

    picture: torch.Tensor  # [S, S, 3], the same from all sides
    alphas: torch.Tensor  # [T]
    image_size: int = SIZE
    takes_cameras: bool = False
    takes_views: bool = False
    sees_reference: bool = False
    small_encoder: None = None
    tell_uncompiled: None = None
    most_together: int = 0
    device: torch.device = torch.device("cpu")

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return avg_pool2d(images.permute(0, 3, 1, 2), BLOCK)

    def embed(self, prompts: Sequence[str], cameras: Cameras | None = None) -> torch.Tensor:
        return torch.tensor([[[float(bool(prompt))]] for prompt in prompts])  # [B, 1, 1]

    def shorten(self, prompt: str, suffix: str) -> str:
        return prompt

    def complete(self, prompt: str, background: str) -> str:
        return prompt

    def predict_noise(self, latents: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
        """Return the exact noise of Gaussians about the picture (deviation 0.05) or about grey (1)."""
        mean = torch.where(context[..., None] > 0, self.encode(self.picture[None]), torch.tensor(0.5))
        variance = torch.where(context[..., None] > 0, 0.05**2, 1.0)
        alpha = self.alphas[t]
        return (1 - alpha).sqrt() * (latents - alpha.sqrt() * mean) / (alpha * variance + 1 - alpha)


def shell(radius: float, colour: torch.Tensor, opacity: float = 0.9) -> Gaussians:
    """Return a hollow ball of 200 Gaussians in one colour."""
    ball = two_coloured_shell(200, radius=radius, scale=0.12)
    logits = torch.full_like(ball.opacity_logits, opacity).logit()
    return replace(ball, sh=((colour - 0.5) / SH_CONSTANT).expand(200, 1, 3).clone(), opacity_logits=logits)


def draw(gaussians: Gaussians, cameras: Cameras, **options: Any) -> Rendering:
    with torch.no_grad():
        return splat_renderer(gaussians)(cameras, WHITE, **options)


WANTED = shell(0.5, COLOUR)
START = shell(0.7, torch.tensor([0.35, 0.55, 0.65]), opacity=0.6)  # too large, too blue, half transparent
AROUND = orbit([0.0, 90.0, 180.0, 270.0], 15.0, size=SIZE)  # from where results are judged


def reference() -> Target:
    """Return one known view of WANTED."""
    camera = orbit([30.0], 0.0, size=SIZE)
    seen = draw(WANTED, camera)
    return Target(camera, seen.rgb, (seen.alpha > 0.5).float())


def sides() -> Sides:
    """Return four pictures of WANTED."""
    cameras = calibration_cameras(SIZE)
    seen = draw(WANTED, cameras)
    return Sides(cameras, seen.rgb, (seen.alpha > 0.5).float())


def guess() -> RadianceGrid:
    """Return a field that looks like WANTED."""
    field = blob_grid(24, radius=0.55, strength=60.0)
    field.values[..., 1:] = COLOUR.logit()
    return field


def calibration(*, geometry: float = 0.0, semantics: float = 0.0, reward: float = 0.0) -> Calibration:
    """Return the calibration towards WANTED's four sides; features are the pixels, and red costs reward."""
    cameras = calibration_cameras(SIZE)
    seen = draw(WANTED, cameras, geometry=True)
    mask, nearness = (seen.alpha > 0.5).float(), 1 / seen.depth.clamp_min(1e-3)

    def features(rgb: torch.Tensor) -> tuple[torch.Tensor, None]:
        return rgb.flatten(1), None

    def judge(shown: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        return 2 - 10 * (shown[..., 0].mean((1, 2)) - 0.6)

    networks: Any = features, judge
    normal = in_camera_axes(seen.normal, cameras)
    alike = ViewTargets(mask, nearness, normal, features(seen.rgb)[0], None, networks[0])
    return Calibration(cameras, geometry, semantics, reward, alike, networks[1], torch.zeros(1, 1))


def settings_of(**changes: Any) -> TV3DGSettings:
    """Return few steps without density control, and no weight but those that are given."""
    nothing = dict.fromkeys(
        ("lambda_guidance", "variation", "smoothness", "size_penalty", "entropy", "colour_range", "reference",
         "reference_mask", "palette", "edit_sides"), 0.0,
    )  # fmt: skip
    few: dict[str, Any] = {"steps": 20, "views": 2, "growth_rounds": 0, "delta_t": 400, "tau": 0.0}
    return replace(TV3DG.presets["bench"], **(nothing | few | changes))


def optimise(settings: TV3DGSettings, start: Gaussians = START, **guests: Any) -> Gaussians:
    """Return what `tv3dg.optimise` makes of a start; `guests` are its last arguments by name."""
    alphas = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, dim=0)
    prior: Any = ToyPrior(draw(WANTED, AROUND).rgb[0], alphas)
    torch.manual_seed(0)
    job: Any = SimpleNamespace(
        request=protocol.Request(system="tv3dg", prompt="a ball"),
        generator=torch.Generator().manual_seed(0),
        steps=lambda total, state: range(total),
        preview_due=False,
    )
    guidance = guidance_for(prior, options_of(GuidanceOptions, settings))
    return Gaussians(**tv3dg.optimise(job, guidance, "a ball", settings, Gaussians(**start.state_dict()), **guests))
