"""Compiled kernels where there is no folder for their cache."""

from __future__ import annotations

import logging

from backend.rendering import compiled


def test_without_a_folder_for_its_cache_it_compiles_all_the_same(monkeypatch, caplog) -> None:
    original = compiled.njit

    def njit(function, **options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return original(function, **options)

    monkeypatch.setattr(compiled, "njit", njit)
    with caplog.at_level(logging.WARNING):
        double = compiled.compiled()(lambda x: 2 * x)
    assert double(21) == 42 and "no locator" in caplog.text


def test_compilation_is_told_of_and_what_is_compiled_already_is_not() -> None:
    from backend.rendering import compiled as module

    @module.compiled()
    def doubled(x):
        return 2 * x

    def plain(x):
        return x

    told: list[tuple[int, int]] = []
    before = sum(not kernel.overloads for kernel in module._kernels)
    with module.telling_of_compilation(lambda done, most: told.append((done, most))):
        assert doubled(2.0) == 4.0
        assert doubled(3.0) == 6.0
        assert module.njit(plain)(1) == 1  # none of ours
    module._kernels.remove(doubled)
    assert told == [(0, before), (1, before)] or told == []  # from a cache on disk nothing is compiled
    assert doubled.stats.cache_hits or told
