"""Job folders to which things have happened."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from addon import protocol

HELLO = protocol.Hello(job="j", backend="0", pid=1)


def make(folder: Path, name: str, *events: protocol.Event, prompt: str = "a red mug") -> Path:
    """Write a job to which these things have happened; a finished one has a result with a picture."""
    job = folder / name
    (job / "result").mkdir(parents=True)
    protocol.write_request(job, protocol.Request(system="tv3dg", prompt=prompt, seed=42))
    if events:
        (job / "events.jsonl").write_text("".join(map(protocol.encode, (HELLO, *events))))
    if events and isinstance(events[-1], protocol.Finished):
        (job / "result/model.glb").write_bytes(b"x" * 2_000_000)
        Image.new("RGB", (16, 16), "red").save(job / "result/preview.png")
    return job


FAILED = protocol.Failed(kind="EmptyMask", message="The mask is empty.", hint="Use another image.")
