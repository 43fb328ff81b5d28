"""A base's costs are read from the small files of its folder, and a folder that is none gets a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from addon.paths import EMBEDDED_PRIOR
from addon.protocol import ProtocolError, preflight


def test_the_embedded_prior_is_read_from_headers_and_configurations() -> None:
    base = preflight.read_base(EMBEDDED_PRIOR)
    assert base.pixels == 128 and base.knows.cameras and not base.knows.large
    size = (EMBEDDED_PRIOR / "unet" / "diffusion_pytorch_model.safetensors").stat().st_size
    assert 0.99 * size < 2 * base.weights["unet"] < size  # half precision, and a header
    assert base.gflop["unet"] == pytest.approx(0.882, abs=0.001)


@pytest.mark.parametrize("config", ["{}", "[]", "no JSON", '{"block_out_channels": 3}'])
def test_what_is_no_base_is_refused(config: str, tmp_path: Path) -> None:
    for part in ("unet", "vae", "text_encoder"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text(config)
    with pytest.raises(ProtocolError, match="cannot be told"):
        preflight.read_base(tmp_path)


def test_a_file_of_weights_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    for part in ("unet", "vae", "text_encoder"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text(json.dumps({"block_out_channels": [8], "sample_size": 4}))
        (tmp_path / part / "model.safetensors").write_bytes(b"\x08")
    with pytest.raises(ProtocolError, match="cannot be told"):
        preflight.read_base(tmp_path)
