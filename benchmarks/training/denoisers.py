"""Tries courses of the joint-view denoiser at equal minutes: `python -m benchmarks.training.denoisers`.

Every course trains for the same minutes of process time on one thread, from the shipped weights, and is judged by its
losses on held-out groups, always of the same noise. Rows that the file already has are kept.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch

from backend.embedded.objects.descriptions import describe, vocabulary_2
from backend.embedded.tokenizer import build_tokenizer
from backend.embedded.train_next import NEXT, codec_of
from backend.embedded.training.looking import held_out_groups, look_at
from backend.embedded.training.views import Course, Training, averaged_copy, train_views
from backend.weights import EMBEDDED

COURSES = {
    "AdamW, 4e-4": Course(muon=False),
    "Muon, 4e-4": Course(),
    "Muon, 8e-4": Course(rate=8e-4),
    "Muon, 4e-4, timesteps about the middle": Course(focus=True),
}


def main() -> None:
    """Train and judge every course that is asked for and not yet in the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/denoisers.json"))
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--renders", type=Path, nargs="+", default=[Path(".cache/embedded/groups")])
    parser.add_argument("--only", nargs="+", choices=list(COURSES))
    parser.add_argument("--cache", type=Path, default=Path(".cache/embedded/denoisers"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    codec = codec_of(options.cache, NEXT)
    look = look_at(held_out_groups(codec)[0], describe)
    tokenizer = build_tokenizer(vocabulary_2())
    table = json.loads(options.out.read_text()) if options.out.exists() else {"rows": {}}
    for name in options.only or COURSES:
        if name in table["rows"]:
            continue
        training = Training(tokenizer, codec.config.latent_channels, COURSES[name], EMBEDDED)
        if "before" not in table["rows"]:
            table["rows"]["before"] = look(averaged_copy(training), tokenizer)
        folder = options.cache / name.replace(" ", "-").replace(",", "")
        folder.mkdir(parents=True, exist_ok=True)
        train_views(training, folder, options.renders, codec, options.minutes, describe)
        figures = look(averaged_copy(training), tokenizer)
        table["rows"][name] = figures | training.counts | {"minutes": options.minutes, "course": asdict(COURSES[name])}
        print(name, figures, training.counts, flush=True)
        options.out.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
