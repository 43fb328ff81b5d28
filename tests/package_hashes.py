"""Writes the hashes of the pinned packages' files into the locks: `python -m tests.package_hashes`, after pins changed.

The files of a version are those that pip's index lists. Of them the wheels for the supported Pythons and systems are
kept, and the source where one of them has no wheel; pip builds nothing for which there is one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import build

PINNED_BY_VERSION = "backend/torch.lock"  # whose files differ by index
SYSTEMS = (r"manylinux.*_x86_64", r"manylinux.*_aarch64", r"macosx_.*_(arm64|universal2)", "win_amd64")


def wanted(files: Mapping[str, str], name: str, version: str) -> list[str]:
    """Return the SHA-256 of the files, name -> SHA-256, from which the pinned version may be installed, sorted."""
    start = rf"{re.sub('[-_.]+', '[-_.]+', name)}-{re.escape(version)}"
    wheel = re.compile(rf"{start}(-\d\w*)?-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<system>[^-]+)\.whl", re.IGNORECASE)
    wheels = {file: match for file in files if (match := wheel.fullmatch(file))}
    places = [(minor, system) for _, minor in build.SUPPORTED for system in SYSTEMS]
    fitting = [{file for file, match in wheels.items() if _fits(match, *place)} for place in places]
    kept = set().union(*fitting)
    if not all(fitting):
        kept |= {file for file in files if re.fullmatch(rf"{start}\.(tar\.gz|zip)", file, re.IGNORECASE)}
    return sorted(files[file] for file in kept)


def _fits(wheel: re.Match[str], minor: int, system: str) -> bool:
    """Say whether the tags of a wheel are those of Python 3.`minor` on a system."""
    pythons, abi, systems = wheel["python"].split("."), wheel["abi"], wheel["system"].split(".")
    if abi == "abi3":
        fits = any(re.fullmatch(r"cp3\d+", tag) and int(tag[3:]) <= minor for tag in pythons)
    else:
        fits = abi == f"cp3{minor}" or (abi == "none" and bool({"py3", f"cp3{minor}"} & set(pythons)))
    return fits and any(tag == "any" or re.fullmatch(system, tag) for tag in systems)


def with_hashes(lock: str, files_of: Any) -> str:
    """Return a lock with the hashes of its packages; `files_of` returns those of a package, name -> SHA-256."""
    lines = []
    for line in re.sub(r" \\\n *--hash=\S+", "", lock).splitlines():
        found = re.match(r"([\w.-]+)==([\w.+-]+)", line)
        hashes = wanted(files_of(found[1]), found[1], found[2]) if found else []
        if found and not hashes:
            raise ValueError(f"{found[1]} {found[2]} has no file for any supported Python and system")
        lines.append(" \\\n".join([line, *(f"    --hash=sha256:{each}" for each in hashes)]))
    return "\n".join(lines) + "\n"


class Index:
    """The package index that pip is configured with, asked by pip itself."""

    def __init__(self) -> None:
        from pip._internal.commands import create_command

        command: Any = create_command("download")
        options, _ = command.parse_args(["anything"])
        self._collector = command._build_package_finder(options, command._build_session(options))._link_collector

    def files_of(self, name: str) -> dict[str, str]:
        """Return the files of a package, name -> SHA-256."""
        sources = self._collector.collect_sources(project_name=name, candidates_from_page=self._links).index_urls
        links = [link for source in sources if source for link in source.page_candidates()]
        return {link.filename: link.hash for link in reversed(links) if link.hash_name == "sha256"}

    def _links(self, page: Any) -> Iterator[Any]:
        from pip._internal.index.collector import parse_links

        content = self._collector.fetch_response(page)
        yield from parse_links(content) if content else ()


def main() -> None:
    """Renew the hashes in all locks but that of packages that are pinned by version."""
    index = Index()
    for name in build.LOCKS:
        if name != PINNED_BY_VERSION:
            path = Path(build.ROOT / name)
            path.write_text(with_hashes(path.read_text(encoding="utf-8"), index.files_of), encoding="utf-8")
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
