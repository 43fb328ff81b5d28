"""Pictures of every kind, with pixels computed by hand; masks of scenes whose subject is known."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from backend.errors import BadInput, EmptyMask
from backend.images import (
    check_image,
    colour_mask,
    load_image,
    resize_cut_out,
    save_image,
    save_turntable,
    square,
    square_crop,
    subject_mask,
)
from tests.backend.png import chunks_to_png

RED, BLUE = (255, 0, 0), (0, 0, 255)


def write(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    """Write an array as an image file."""
    Image.fromarray(pixels).save(path, **options)
    return path


def test_colours_are_divided_by_255(tmp_path: Path) -> None:
    rgb, alpha = load_image(write(tmp_path / "a.png", np.array([[(0, 51, 255), (102, 153, 204)]], dtype=np.uint8)))
    assert rgb.dtype == torch.float32 and rgb.shape == (1, 2, 3) and alpha is None
    torch.testing.assert_close(rgb, torch.tensor([[[0.0, 0.2, 1.0], [0.4, 0.6, 0.8]]]))


def test_alpha_is_given_apart_and_not_multiplied_in(tmp_path: Path) -> None:
    rgb, alpha = load_image(write(tmp_path / "a.png", np.array([[(255, 51, 0, 0), (255, 51, 0, 102)]], dtype=np.uint8)))
    torch.testing.assert_close(rgb, torch.tensor([[[1.0, 0.2, 0.0], [1.0, 0.2, 0.0]]]))
    assert alpha is not None
    torch.testing.assert_close(alpha, torch.tensor([[[0.0], [0.4]]]))


def test_grey_with_alpha(tmp_path: Path) -> None:
    rgb, alpha = load_image(write(tmp_path / "a.png", np.array([[(51, 102)]], dtype=np.uint8)))
    torch.testing.assert_close(rgb, torch.full((1, 1, 3), 0.2))
    assert alpha is not None and alpha.item() == pytest.approx(0.4)


def test_16_bit_grey_keeps_its_precision(tmp_path: Path) -> None:
    rgb, alpha = load_image(write(tmp_path / "a.png", np.array([[0, 300, 32768, 65535]], dtype=np.uint16)))
    expected = torch.tensor([0.0, 300 / 65535, 32768 / 65535, 1.0])
    torch.testing.assert_close(rgb, expected[None, :, None].expand(1, 4, 3), rtol=0, atol=1e-7)
    assert alpha is None


def test_16_bit_colour_is_read_to_8_bits(tmp_path: Path) -> None:
    row = b"\0" + struct.pack(">6H", 0xFFFF, 0x8000, 0x0000, 0x3333, 0x6666, 0x9999)  # filter type, two pixels
    (tmp_path / "a.png").write_bytes(chunks_to_png(2, 1, bits=16, colour=2, rows=row))
    rgb, _ = load_image(tmp_path / "a.png")
    expected = torch.tensor([[[1.0, 128 / 255, 0.0], [0.2, 0.4, 0.6]]])
    torch.testing.assert_close(rgb, expected, rtol=0, atol=1e-6)


def test_cmyk(tmp_path: Path) -> None:
    image = Image.new("CMYK", (2, 1))
    image.putpixel((0, 0), (0, 255, 255, 0))  # no cyan, so red
    image.putpixel((1, 0), (0, 0, 0, 204))  # 80 % black on white
    image.save(tmp_path / "a.tiff")
    rgb, _ = load_image(tmp_path / "a.tiff")
    torch.testing.assert_close(rgb, torch.tensor([[[1.0, 0.0, 0.0], [0.2, 0.2, 0.2]]]))


@pytest.mark.parametrize("transparent", [False, True])
def test_palette(tmp_path: Path, transparent: bool) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putpixel((1, 0), 1)
    options: dict[str, Any] = {"transparency": 1} if transparent else {}
    image.save(tmp_path / "a.png", **options)
    rgb, alpha = load_image(tmp_path / "a.png")
    torch.testing.assert_close(rgb, torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]))
    assert (alpha is not None) == transparent
    if alpha is not None:
        assert alpha.flatten().tolist() == [1.0, 0.0]


def test_a_transparent_colour_of_a_png_without_alpha_becomes_alpha(tmp_path: Path) -> None:
    write(tmp_path / "a.png", np.array([[RED, BLUE]], dtype=np.uint8), transparency=RED)
    _, alpha = load_image(tmp_path / "a.png")
    assert alpha is not None and alpha.flatten().tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        # The stored picture is A B / C D; the tag says how it has to be turned to stand upright.
        (1, "AB/CD"),
        (2, "BA/DC"),
        (3, "DC/BA"),
        (4, "CD/AB"),
        (5, "AC/BD"),
        (6, "CA/DB"),
        (7, "DB/CA"),
        (8, "BD/AC"),
    ],
)
def test_exif_rotation(tmp_path: Path, orientation: int, expected: str) -> None:
    values = {"A": 0, "B": 51, "C": 102, "D": 153}
    image = Image.fromarray(np.array([[0, 51], [102, 153]], dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    rgb, _ = load_image(tmp_path / "a.png")
    rows = [[values[letter] / 255 for letter in row] for row in expected.split("/")]
    torch.testing.assert_close(rgb[..., 0], torch.tensor(rows))


def test_a_colour_profile_is_used(tmp_path: Path) -> None:
    # Linear light with sRGB's primaries: half the light is 1.055 * 0.5 ** (1 / 2.4) - 0.055 = 0.7354 in sRGB.
    write(tmp_path / "a.png", np.full((1, 1, 3), 128, dtype=np.uint8), icc_profile=linear_profile())
    rgb, _ = load_image(tmp_path / "a.png")
    torch.testing.assert_close(rgb, torch.full((1, 1, 3), 1.055 * (128 / 255) ** (1 / 2.4) - 0.055), rtol=0, atol=0.006)


def test_a_broken_colour_profile_is_left_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "a.png", np.full((1, 1, 3), 51, dtype=np.uint8), icc_profile=b"nonsense")
    assert load_image(tmp_path / "a.png")[0].flatten().tolist() == pytest.approx([0.2] * 3)
    assert "profile of the image is not used" in caplog.text


def linear_profile() -> bytes:
    """Return a small ICC profile: sRGB's primaries (adapted to D50), gamma 1."""

    def xyz(x: float, y: float, z: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in (x, y, z))

    curve = b"curv\0\0\0\0" + struct.pack(">I", 0)  # no entries: the identity
    tags = {
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.4361, 0.2225, 0.0139),
        b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"bXYZ": xyz(0.1431, 0.0606, 0.7141),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(data))
        body += data
    size = 128 + len(table) + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02100000, b"mntr", b"RGB ", b"XYZ ") + b"\0" * 12 + b"acsp"
    header += b"\0" * 28 + struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(128, b"\0") + table + body


def test_a_file_that_is_not_accepted_is_refused_from_its_header(tmp_path: Path) -> None:
    assert check_image(write(tmp_path / "a.png", np.zeros((3, 5, 3), dtype=np.uint8))) == (5, 3)
    (tmp_path / "a.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    with pytest.raises(BadInput, match=r"a\.eps is not an image"):
        check_image(tmp_path / "a.eps")
    # Wide and flat: below the limit of pixels, above that of a side; in BMP, whose header alone is there.
    header = (
        b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 20_000, 10, 1, 24, 0, 0, 0, 0, 0, 0)
    )
    (tmp_path / "a.bmp").write_bytes(header)
    with pytest.raises(BadInput, match="20000 x 10 pixels"):
        check_image(tmp_path / "a.bmp")


def test_a_phones_jpeg_with_a_second_picture_is_taken(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (16, 16), RED), Image.new("RGB", (16, 16), BLUE)]
    pages[0].save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=pages[1:])
    rgb, _ = load_image(tmp_path / "a.jpg")
    torch.testing.assert_close(rgb[8, 8], torch.tensor([1.0, 0.0, 0.0]), rtol=0, atol=0.02)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_saved_image_is_rounded_to_8_bits_and_read_back(tmp_path: Path, channels: int) -> None:
    image = torch.rand(5, 4, channels, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.1
    save_image(tmp_path / "a.png", image)
    rgb, alpha = load_image(tmp_path / "a.png")
    read = rgb if alpha is None else torch.cat([rgb, alpha], dim=-1)
    torch.testing.assert_close(read[..., :channels], image.clamp(0, 1), rtol=0, atol=0.5 / 255 + 1e-6)


def test_a_turntable_has_its_frames_and_times(tmp_path: Path) -> None:
    frames = [torch.full((8, 8, 3), grey) for grey in (0.0, 0.5, 1.0)]
    save_turntable(tmp_path / "a.webp", frames, 40)
    with Image.open(tmp_path / "a.webp") as image:
        assert getattr(image, "n_frames", 1) == 3 and image.info["loop"] == 0
        for number, grey in enumerate((0, 128, 255)):
            image.seek(number)
            assert abs(np.asarray(image.convert("L")).astype(int) - grey).max() <= 2
            assert image.info["duration"] == 40


# ---- masks -----------------------------------------------------------------------------------------------------------

SIZE = 128
Y, X = np.mgrid[0 : 1 : SIZE * 1j, 0 : 1 : SIZE * 1j]
DISC = (Y - 0.5) ** 2 + (X - 0.45) ** 2 < 0.25**2
WHITE = np.ones((SIZE, SIZE, 3))
GRADIENT = np.stack([0.3 + 0.5 * Y, 0.4 + 0.3 * X, 0.6 + 0.0 * X], axis=-1)
CHECKS = np.where(((Y * 8).astype(int) + (X * 8).astype(int))[..., None] % 2, 0.9, 0.5) * np.ones(3)
ROOM = np.where((Y > 0.7)[..., None], (0.5, 0.4, 0.3), (0.85, 0.85, 0.8))


def picture(
    background: np.ndarray, subject: np.ndarray, colour: tuple[float, ...], noise: float = 0.01
) -> torch.Tensor:
    """Return a background with a subject of one colour, and noise."""
    image = np.where(subject[..., None], colour, background)
    image = image + np.random.default_rng(0).normal(size=image.shape) * noise
    return torch.from_numpy(image.clip(0, 1).astype(np.float32))


@pytest.mark.parametrize(
    ("background", "subject", "colour"),
    [
        pytest.param(WHITE, DISC, (0.8, 0.1, 0.1), id="plain"),
        pytest.param(GRADIENT, DISC, (0.8, 0.1, 0.1), id="gradient"),
        pytest.param(CHECKS, DISC, (0.1, 0.2, 0.8), id="two colours"),
        pytest.param(ROOM, DISC, (0.1, 0.3, 0.6), id="wall and floor"),
        pytest.param(GRADIENT, (Y > 0.5) & (abs(X - 0.5) < 0.25), (0.1, 0.5, 0.1), id="touches the lower border"),
        pytest.param(WHITE, DISC & ((Y - 0.5) ** 2 + (X - 0.45) ** 2 > 0.12**2), (0.1, 0.1, 0.6), id="ring"),
        pytest.param(WHITE, DISC | ((abs(X - 0.85) < 0.09) & (abs(Y - 0.8) < 0.09)), (0.2, 0.5, 0.2), id="two parts"),
    ],
)
def test_the_subject_is_told_from_the_colours_along_the_border(
    background: np.ndarray, subject: np.ndarray, colour: tuple[float, ...]
) -> None:
    mask = subject_mask(picture(background, subject, colour), None)
    assert mask.shape == (SIZE, SIZE, 1) and mask.dtype == torch.float32
    found = mask[..., 0].numpy() > 0.5
    assert (found & subject).sum() / (found | subject).sum() > 0.97


def test_a_small_spot_in_the_background_is_left_out_and_one_in_the_subject_is_filled() -> None:
    speck = (abs(X - 0.9) < 0.02) & (abs(Y - 0.1) < 0.02)
    highlight = (abs(X - 0.45) < 0.02) & (abs(Y - 0.5) < 0.02)
    mask = subject_mask(picture(WHITE, (DISC | speck) & ~highlight, (0.8, 0.1, 0.1)), None)[..., 0].numpy() > 0.5
    assert not mask[speck].any() and mask[highlight].all()


def test_the_mask_does_not_depend_on_chance() -> None:
    image = picture(CHECKS, DISC, (0.1, 0.2, 0.8), noise=0.05)
    assert torch.equal(subject_mask(image, None), subject_mask(image, None))


def test_a_large_picture_is_masked_in_its_own_size() -> None:
    large = torch.ones(900, 1200, 3)
    large[300:600, 200:700] = torch.tensor([0.1, 0.4, 0.1])
    mask = subject_mask(large, None)[..., 0] > 0.5
    truth = torch.zeros(900, 1200, dtype=torch.bool)
    truth[300:600, 200:700] = True
    assert ((mask & truth).sum() / (mask | truth).sum()).item() > 0.97


@pytest.mark.parametrize(("noise", "least", "most"), [(0.0, 4.0, 4.0), (0.15, 15.0, 40.0)])
def test_how_busy_the_border_is_comes_with_the_mask(noise: float, least: float, most: float) -> None:
    mask, found = colour_mask(picture(WHITE * 0.5, DISC, (1.0, 0.0, 0.0), noise))
    assert least <= found <= most and mask[64, 58] == 1


@pytest.mark.parametrize(
    ("image", "alpha", "words"),
    [
        pytest.param(torch.rand(4, 4, 3), torch.zeros(4, 4, 1), "0 of 16 pixels are opaque", id="transparent"),
        pytest.param(torch.ones(64, 64, 3), None, "0 of 4096 pixels differ clearly", id="white"),
        pytest.param(picture(WHITE * 0.5, DISC & ~DISC, RED, 0.2), None, "of 16384 pixels differ clearly", id="noise"),
        pytest.param(picture(WHITE, DISC, (0.98,) * 3), None, "of 16384 pixels differ clearly", id="faint"),
        pytest.param(torch.ones(1, 1, 3), None, "0 of 1 pixels", id="one pixel"),
        pytest.param(torch.ones(2, 7, 3), None, "0 of 14 pixels", id="two rows"),
    ],
)
def test_no_subject_is_an_error_with_the_counts(image: torch.Tensor, alpha: torch.Tensor | None, words: str) -> None:
    with pytest.raises(EmptyMask, match=words) as caught:
        subject_mask(image, alpha)
    assert caught.value.hint


# ---- crops -----------------------------------------------------------------------------------------------------------


def test_a_crop_centres_the_subject_and_leaves_the_margin() -> None:
    rgb = torch.zeros(40, 60, 3)
    mask = torch.zeros(40, 60, 1)
    rgb[10:18, 30:46] = torch.tensor([1.0, 0.5, 0.0])  # 16 wide, 8 high
    mask[10:18, 30:46] = 1.0
    crop, cropped_mask = square_crop(rgb, mask, size=20, margin=0.1)  # a square of 20 pixels: one to one
    assert crop.shape == (20, 20, 3) and cropped_mask.shape == (20, 20, 1)
    # Centre (38, 14): columns 28-48 and rows 4-24 of the source.
    torch.testing.assert_close(crop, rgb[4:24, 28:48])
    torch.testing.assert_close(cropped_mask, mask[4:24, 28:48])


def test_a_crop_beyond_the_picture_is_background() -> None:
    rgb, mask = torch.full((8, 16, 3), 0.25), torch.ones(8, 16, 1)
    crop, cropped_mask = square_crop(rgb, mask, size=16, margin=0.0, background=1.0)
    assert crop[:4].eq(1.0).all() and crop[-4:].eq(1.0).all() and crop[5:-5].eq(0.25).all()
    assert cropped_mask[:4].eq(0.0).all() and cropped_mask[5:-5].eq(1.0).all()


def test_a_smaller_crop_keeps_the_mean() -> None:
    rgb = torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0))
    crop, _ = square_crop(rgb, torch.ones(64, 64, 1), size=8, margin=0.0)
    interior = rgb[8:-8, 8:-8].mean(dim=(0, 1))
    torch.testing.assert_close(crop[1:-1, 1:-1].mean(dim=(0, 1)), interior, rtol=0, atol=0.01)
    assert crop.std() < 0.35 * rgb.std()  # averaged, not picked


@pytest.mark.parametrize("size", [9, 16, 40])
def test_a_resampled_cut_out_has_its_own_colours_up_to_its_edge(size: int) -> None:
    mask = torch.zeros(32, 32, 1)
    mask[8:23, 7:24] = 1.0
    rgb = 0.8 * mask.expand(-1, -1, 3)  # black where nothing is, as most programs save it
    crop, cropped_mask = square_crop(rgb, mask, size, margin=0.1)
    for colours, alpha in ((crop, cropped_mask), resize_cut_out(rgb, mask, size)):
        inside = alpha[..., 0] > 0.02
        assert ((alpha > 0.02) & (alpha < 0.98)).any()  # there is an edge to look at
        torch.testing.assert_close(colours[inside], torch.full_like(colours[inside], 0.8))
        assert colours.shape == (size, size, 3) and alpha.shape == (size, size, 1)


def test_what_lies_outside_a_mask_stays_in_the_picture() -> None:
    rgb, mask = torch.full((16, 16, 3), 0.3), torch.zeros(16, 16, 1)
    mask[:, :8], rgb[:, :8] = 1.0, 0.9  # the artist may want more of it than the mask says
    small, small_mask = resize_cut_out(rgb, mask, 4)
    torch.testing.assert_close(small[:, 3], torch.full((4, 3), 0.3))
    assert small_mask[:, 3].eq(0).all() and small_mask[:, 0].gt(0.999).all()


def test_a_crop_without_a_subject_is_refused() -> None:
    with pytest.raises(ValueError, match="no pixel"):
        square_crop(torch.ones(4, 4, 3), torch.zeros(4, 4, 1), 4)


def test_a_whole_picture_stands_over_white_in_the_middle_of_a_square():
    rgb = torch.zeros(10, 20, 3)
    rgb[..., 2] = 1.0
    alpha = torch.ones(10, 20, 1)
    alpha[:, :10] = 0.5
    made = square(rgb, alpha, 40)
    assert made.shape == (40, 40, 3)
    torch.testing.assert_close(made[5, 20], torch.ones(3))
    torch.testing.assert_close(made[20, 30], torch.tensor([0.0, 0.0, 1.0]))
    torch.testing.assert_close(made[20, 10], torch.tensor([0.5, 0.5, 1.0]))
    torch.testing.assert_close(square(rgb, None, 20)[10, 3], torch.tensor([0.0, 0.0, 1.0]))
