"""Which files of a release a lock names, and how they come into it."""

from __future__ import annotations

import pytest

from tests.package_hashes import wanted, with_hashes

FILES = {
    name: f"{number:064x}"
    for number, name in enumerate(
        (
            "some_thing-1.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
            "some_thing-1.0-cp313-cp313-macosx_12_0_arm64.whl",
            "some_thing-1.0-1-cp311-cp311-win_amd64.whl",
            "some_thing-1.0-cp39-abi3-manylinux2014_aarch64.whl",
            "some_thing-1.0-py3-none-any.whl",
            "some_thing-1.0-py2.py3-none-win_amd64.whl",
            # not these
            "some_thing-1.0-cp310-cp310-win_amd64.whl",
            "some_thing-1.0-cp314-abi3-win_amd64.whl",
            "some_thing-1.0-cp313-cp313t-win_amd64.whl",
            "some_thing-1.0-cp311-cp311-musllinux_1_2_x86_64.whl",
            "some_thing-1.0-cp311-cp311-macosx_10_9_x86_64.whl",
            "some_thing-1.0.1-py3-none-any.whl",
            "some_thing-1.0.tar.gz",
        )
    )
}


def test_wheels_of_supported_systems_are_wanted_and_the_source_where_one_has_none() -> None:
    assert wanted(FILES, "Some.thing", "1.0") == sorted(FILES.values())[:6]
    source = {name: text for name, text in FILES.items() if not name.endswith(".whl")}
    assert wanted(source, "some-thing", "1.0") == [FILES["some_thing-1.0.tar.gz"]]
    partly = {name: text for name, text in FILES.items() if not name.endswith("any.whl")}
    assert wanted(partly, "some-thing", "1.0") == sorted(
        [*list(FILES.values())[:4], *list(FILES.values())[5:6], FILES["some_thing-1.0.tar.gz"]]
    )


def test_hashes_are_renewed_in_their_places() -> None:
    lock = '# about\nsome-thing==1.0; python_version < "3.13" \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n'
    files = {"some_thing-1.0-py3-none-any.whl": "ab", "some_thing-1.0-cp39-abi3-win_amd64.whl": "cd"}
    made = with_hashes(lock, lambda name: files)
    assert made == (
        '# about\nsome-thing==1.0; python_version < "3.13" \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd\n'
    )
    assert with_hashes(made, lambda name: files) == made
    with pytest.raises(ValueError, match="some-thing 1.0 has no file for any supported Python"):
        with_hashes(lock, lambda name: {})
