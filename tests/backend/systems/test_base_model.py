"""The base that a request names is found, compared with its record and loaded, or it is said why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from addon import protocol
from addon.protocol import models
from addon.protocol.systems.tv3dg import TV3DG
from backend.errors import MissingModel
from backend.models import store
from backend.models.importing import import_path
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems import base_model as subject
from tests.backend.tiny_networks import write_stable_diffusion

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of models with a base, `sd`, a sixteenth of the public one's channels in each layer."""
    source, models_folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("models")
    write_stable_diffusion(source)
    import_path(source, models_folder, name="sd")
    return models_folder


@pytest.fixture(autouse=True)
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAQUETTE_MODELS", str(folder))
    monkeypatch.setattr(subject, "compute_device", lambda: "cpu")


def job(tmp_path: Path, prior: str, system: str = "tv3dg") -> Job:
    return Job(tmp_path, protocol.Request(system=system, prompt="a mug", prior=prior), lambda event: None, Control())


def test_a_name_stands_for_the_installed_model_and_precision_follows_the_device(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = subject.base_model(job(tmp_path, "sd"))
    assert full.dtype == torch.float32 and full.image_size == 256
    assert subject.base_model(job(tmp_path, "sd")).unet is full.unet  # kept
    monkeypatch.setenv("MAQUETTE_PRECISION", "half")
    half = subject.base_model(job(tmp_path, "sd"))
    assert half.dtype == torch.bfloat16 and next(half.unet.parameters()).dtype == torch.bfloat16
    latents, context = torch.randn(1, 4, 32, 32, generator=torch.manual_seed(1)), ["a red mug"]
    seen, exact = (
        half.predict_noise(latents, 400, half.embed(context)),
        full.predict_noise(latents, 400, full.embed(context)),
    )
    assert seen.dtype == torch.float32
    assert torch.cosine_similarity(seen.flatten(), exact.flatten(), dim=0) > 0.999


def test_networks_are_compiled_where_the_machine_is_told_to(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert subject.base_model(job(tmp_path, "sd")).tell_uncompiled is None
    monkeypatch.setenv("MAQUETTE_COMPILE", "on")
    said: list[protocol.Event] = []
    request = protocol.Request(system="tv3dg", prompt="a mug", prior="sd")
    prior = subject.base_model(Job(tmp_path, request, said.append, Control()))
    assert prior.tell_uncompiled is not None
    prior.tell_uncompiled("They could not be.")
    (warning,) = [event for event in said if isinstance(event, protocol.Warning)]
    assert warning.message == "They could not be." and "MAQUETTE_COMPILE=off" in warning.hint


def test_a_lora_is_loaded_on_its_base_and_leaves_that_alone(folder: Path, tmp_path: Path) -> None:
    place = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    weight = load_file(folder / "bases" / "sd" / UNET)[f"{place}.weight"]
    save_file(
        {f"unet.{place}.lora_A.weight": torch.ones(2, weight.shape[1]),
         f"unet.{place}.lora_B.weight": torch.ones(weight.shape[0], 2)}, tmp_path / "style.safetensors",
    )  # fmt: skip
    import_path(tmp_path / "style.safetensors", folder, strength=0.25)
    styled = subject.base_model(job(tmp_path, "style"))
    assert torch.allclose(styled.unet.get_submodule(place).weight, weight + 0.5, atol=1e-5)
    plain = subject.base_model(job(tmp_path, "sd"))
    assert torch.equal(plain.unet.get_submodule(place).weight, weight)
    assert plain.fingerprint != styled.fingerprint
    store.remove(folder, "style")


def test_what_is_not_installed_is_named_with_its_size(tmp_path: Path) -> None:
    with pytest.raises(MissingModel, match=r"Stable Diffusion 1.5 \(about 2.13 GB\) is not on this machine") as caught:
        subject.base_model(job(tmp_path, "sd15"))
    assert "models fetch sd15" in caught.value.hint and "preferences" in caught.value.hint
    with pytest.raises(MissingModel, match="The model unheard-of is not on this machine"):
        subject.base_model(job(tmp_path, "unheard-of"))


def test_a_changed_file_is_not_loaded(folder: Path, tmp_path: Path) -> None:
    file = folder / "bases" / "sd" / "scheduler" / "scheduler_config.json"
    before = file.read_bytes()
    file.unlink()  # it is a second name of the source's
    file.write_bytes(before.replace(b"0.012", b"0.013"))
    try:
        with pytest.raises(MissingModel, match="scheduler/scheduler_config.json has changed since"):
            subject.base_model(job(tmp_path, "sd"))
    finally:
        file.write_bytes(before)


def test_installed_companions_come_with_an_installed_base_if_all_are_there(folder: Path, tmp_path: Path) -> None:
    settings = TV3DG.presets["paper"]
    chosen = subject.with_companions(job(tmp_path, "sd"), settings)
    assert (chosen.companions, chosen.adapter) == ("", "")
    roles = [model.role for model in models.CATALOGUE.values() if "tv3dg" in model.systems]
    for role in roles:
        record = models.ModelRecord(name=role, role=role, title=role, source="a/b", files={}, sizes={})
        with store.changing(folder, role, role) as place:
            store.take_place(place, folder, record)
    chosen = subject.with_companions(job(tmp_path, "sd"), settings)
    assert chosen.companions == str(models.companions_folder(folder))
    assert chosen.adapter == str(models.companions_folder(folder) / "ip_adapter")
    embedded: Any = subject.with_companions(job(tmp_path, "embedded"), settings)
    assert (embedded.companions, embedded.adapter) == ("", "")
    store.remove(folder, "reward")
    assert subject.with_companions(job(tmp_path, "sd"), settings).companions == ""
