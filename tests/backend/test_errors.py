"""What a user is told of an exception, and with which exit code the process ends."""

from __future__ import annotations

import errno

import pytest
import torch

from backend.errors import (
    DISTURBING,
    BadInput,
    Defect,
    EmptyMask,
    JobLeft,
    MissingModel,
    OutOfMemory,
    UnfitEnvironment,
    disturbing_variables,
    explain,
)  # fmt: skip


@pytest.mark.parametrize(
    ("error", "kind", "code", "words"),
    [
        (EmptyMask("No subject.", "Use another image."), EmptyMask, 2, "No subject."),
        (MissingModel("No weights."), MissingModel, 3, "No weights."),
        (MemoryError(), OutOfMemory, 3, "memory of this machine"),
        (ImportError("no module named numba"), UnfitEnvironment, 3, "missing or broken: no module named numba."),
        (OSError(errno.ENOSPC, "No space left"), UnfitEnvironment, 3, "The disk is full"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB\nand more"), OutOfMemory, 3, "2 GiB"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemory, 3, "can't allocate memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), OutOfMemory, 3, "2 GiB"),
        (
            RuntimeError("[alloc_cpu.cpp:114] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
            OutOfMemory,
            3,
            "not enough memory",
        ),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
            OutOfMemory,
            3,
            "CUBLAS",
        ),
        (RuntimeError("shapes differ"), Defect, 1, "RuntimeError: shapes differ"),
        (OSError(errno.EBADF, "Bad file descriptor"), Defect, 1, "OSError"),
        (OSError(errno.EDQUOT, "Quota exceeded", "a"), UnfitEnvironment, 3, "The disk is full"),
        (OSError(errno.EACCES, "Permission denied", "a"), BadInput, 2, "a may not be used (Permission denied)."),
        (OSError(errno.EPERM, "Not permitted", "a"), BadInput, 2, "a may not be used (Not permitted)."),
        (OSError(errno.EROFS, "Read-only file system", "a"), BadInput, 2, "a cannot be written (Read-only"),
        (OSError(errno.ENAMETOOLONG, "Too long", "a"), BadInput, 2, "a cannot be made or found (Too long)."),
        (OSError(errno.EIO, "Input/output error", "a"), UnfitEnvironment, 3, "does not let files be used"),
    ],
)
def test_each_exception_becomes_a_sentence_with_an_exit_code(
    error: Exception, kind: type, code: int, words: str
) -> None:
    found = explain(error)
    assert type(found) is kind and found.exit_code == code and words in found.message and "\n" not in found.message
    assert found.hint or isinstance(error, MissingModel)


def test_what_is_meant_for_the_user_is_passed_on_as_it_is() -> None:
    error = BadInput("Too large.", "Make it smaller.")
    assert explain(error) is error
    assert (error.message, error.hint, str(error)) == ("Too large.", "Make it smaller.", "Too large.")


def test_leaving_is_no_exception_that_a_fallback_could_catch() -> None:
    assert not issubclass(JobLeft, Exception)


def test_a_variable_that_breaks_imports_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in DISTURBING:
        monkeypatch.delenv(name, raising=False)
    assert explain(ImportError("no torch")).hint == "Run `python build.py setup`."
    monkeypatch.setenv("PYTHONPATH", "/opt/renderfarm/lib")
    monkeypatch.setenv("LD_PRELOAD", "")
    assert disturbing_variables() == {"PYTHONPATH": "/opt/renderfarm/lib"}
    assert "Take PYTHONPATH=/opt/renderfarm/lib out of the environment" in explain(ImportError("no torch")).hint
