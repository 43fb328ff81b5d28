"""Completes a prompt with neutral clauses: what the artist did not say, a prior that heard everything would guess.

The clauses belong to the prior: its folder holds them (`prompt_clauses.json`, written with its weights). A prior
without that file, such as Stable Diffusion, gets prompts as they are.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

FILE = "prompt_clauses.json"


def completed(prompt: str, completion: dict, background: str = "white") -> tuple[str, list[str]]:
    """Return the prompt with a neutral clause for each that it does not say, and the clauses that were added.

    `completion` has `clauses`, each with `neutral` words, the words `said_by`, and words `not_before` which those do
    not count ("light blue" says nothing of the light), and phrases `unless` none of which a completed prompt has.
    What stands for "{background}" in neutral words is the colour of the background that is drawn.
    """
    words = re.findall(r"[a-z]+|[,.;]", prompt.lower())
    spoken = f" {' '.join(words)} "
    if not words or any(f" {phrase} " in spoken for phrase in completion.get("unless", ())):
        return prompt, []
    added = [
        clause["neutral"].format(background=background)
        for clause in completion.get("clauses", ())
        if not _says(words, clause)
    ]
    return ", ".join([prompt.rstrip(" ,."), *added]) if added else prompt, added


def load_completion(folder: Path) -> dict:
    """Return what completes prompts for the prior in a folder; nothing does where the prior has no such file."""
    path = folder / FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _says(words: list[str], clause: dict) -> bool:
    following = [*words[1:], ""]
    return any(
        word in clause["said_by"] and after not in clause["not_before"]
        for word, after in zip(words, following, strict=True)
    )
