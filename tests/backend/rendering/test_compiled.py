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
