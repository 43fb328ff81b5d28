"""The subject of an image: by colours, by the embedded network, by a public segmentation model."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from backend.errors import EmptyMask, MissingModel
from backend.images import subject_mask
from backend.vision.matting import ColourMatting, PerceptionMatting, PointMatting, corner_points, load_matting
from backend.vision.perception import load_perception
from tests.backend.tiny_networks import SIZE, write_perception, write_sam


def disc(height: int, width: int) -> torch.Tensor:
    """Draw a red disc before white, [1, H, W, 3]."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    inside = (rows - height / 2) ** 2 + (columns - width / 2) ** 2 < (0.3 * min(height, width)) ** 2
    return torch.where(inside[..., None], torch.tensor([0.9, 0.1, 0.1]), torch.ones(3))[None]


def test_colours_need_no_network():
    image = disc(64, 80)
    alpha = load_matting("colours")(torch.cat([image, image]))
    assert alpha.shape == (2, 64, 80, 1)
    torch.testing.assert_close(alpha[0], subject_mask(image[0], None))
    assert alpha[0, 32, 40] > 0.9 and alpha[0, 2, 2] < 0.1
    with pytest.raises(EmptyMask):
        ColourMatting()(torch.ones(1, 32, 32, 3))


def test_the_embedded_network_gives_its_mask(tmp_path):
    write_perception(tmp_path)
    perception = load_perception(str(tmp_path))
    images = torch.rand(1, SIZE, SIZE, 3, requires_grad=True)
    alpha = PerceptionMatting(perception)(images)
    assert torch.equal(alpha, perception(images).mask)
    (gradient,) = torch.autograd.grad(alpha.sum(), images)
    assert gradient.abs().max() > 0


def test_points_ask_for_the_middle_and_not_the_corners():
    points, labels = corner_points(100, 200)
    assert points.tolist() == [[100, 50], [4, 2], [196, 2], [4, 98], [196, 98]]  # x, y
    assert labels.tolist() == [1, 0, 0, 0, 0]


def test_a_public_model_is_asked_in_its_own_frame_and_its_best_candidate_taken(tmp_path):
    """As the library's processor does: the longer side fills the frame, the rest is padding that is cut off again."""
    write_sam(tmp_path)
    matting = load_matting(str(tmp_path))
    assert isinstance(matting, PointMatting)
    image = disc(30, 60)
    asked: list[dict[str, torch.Tensor]] = []
    hook = matting.network.register_forward_pre_hook(lambda _, given, named: asked.append(named), with_kwargs=True)
    alpha = matting(torch.cat([image, image.flip(2)]))
    hook.remove()
    assert alpha.shape == (2, 30, 60, 1) and 0 <= alpha.min() and alpha.max() <= 1
    from transformers import SamImageProcessorPil

    frame = matting.network.config.vision_config.image_size
    processor = SamImageProcessorPil(
        size={"longest_edge": frame}, pad_size={"height": frame, "width": frame},
        mask_size={"longest_edge": frame // 4}, mask_pad_size={"height": frame // 4, "width": frame // 4},
    )  # fmt: skip
    given = processor((image[0] * 255).round().byte().numpy(), return_tensors="pt")
    points, labels = corner_points(*given["reshaped_input_sizes"][0].tolist())
    assert (asked[0]["pixel_values"][:1] - given["pixel_values"]).abs().max() < 0.1  # rounded to 8 bits there
    assert asked[0]["input_points"][1, 0].tolist() == points.tolist()
    with torch.no_grad():
        seen = matting.network(
            pixel_values=given["pixel_values"], input_points=points[None, None], input_labels=labels[None, None]
        )
    masks = processor.post_process_masks(
        seen.pred_masks, given["original_sizes"], given["reshaped_input_sizes"], binarize=False,
        pad_size={"height": frame, "width": frame},
    )[0]  # fmt: skip
    expected = masks[0, seen.iou_scores[0, 0].argmax()].sigmoid()
    torch.testing.assert_close(alpha[0, ..., 0], expected, atol=0.02, rtol=0)


def test_the_candidate_is_the_one_of_the_best_score():
    """Three constant candidates of which the second is best for one image and the third for the other."""
    weight = torch.nn.Parameter(torch.zeros(1))
    logits = torch.tensor([-9.0, 9.0, -9.0, 9.0, -9.0, 9.0]).view(2, 1, 3, 1, 1).expand(-1, -1, -1, 8, 8)
    scores = torch.tensor([[[0.1, 0.9, 0.3]], [[0.5, 0.4, 0.3]]])

    class Known:
        config = SimpleNamespace(vision_config=SimpleNamespace(image_size=32))

        def parameters(self):
            return iter([weight])

        def __call__(self, **given):
            return SimpleNamespace(iou_scores=scores, pred_masks=logits)

    alpha = PointMatting(Known())(torch.rand(2, 20, 32, 3))
    assert alpha[0].min() > 0.99 and alpha[1].min() > 0.99
    scores[1, 0, 2] = 0.6
    scores[0, 0, 0] = 1.0
    alpha = PointMatting(Known())(torch.rand(2, 20, 32, 3))
    assert alpha[0].max() < 0.01 and alpha[1].min() > 0.99


def test_a_missing_model_is_said(tmp_path):
    with pytest.raises(MissingModel, match="role matting"):
        load_matting(str(tmp_path))
