"""Writing files whole or not at all.

Every file that videosynth writes goes through :func:`atomic`: it is written under a temporary name beside its target
and renamed when complete, so a crash, a full disk or a file size limit leaves the old file as it was.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from videosynth.errors import UserError

# Past a file size limit (ulimit -f) the kernel's default is to kill the process; ignored, the write fails with EFBIG.
if hasattr(signal, "SIGXFSZ"):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

_REASONS = {
    errno.ENOSPC: "the disk is full: free some space or write elsewhere",
    errno.EDQUOT: "the disk quota is used up: free some space or write elsewhere",
    errno.EFBIG: "the file would exceed the file size limit of this session (ulimit -f): raise it or write elsewhere",
    errno.EACCES: "permission denied: choose a folder that you may write to",
    errno.EPERM: "permission denied: choose a folder that you may write to",
    errno.EROFS: "the file system is read-only: write elsewhere",
    errno.ENOTDIR: "a part of the path is a file, not a folder: choose another path",
    errno.EISDIR: "a folder of that name is in the way: choose another path",
    errno.EEXIST: "a file of that name is in the way: choose another path",
}


@contextlib.contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Turn the operating system's refusal to write into a :class:`UserError` that names the file and the remedy."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0)
        if reason is None and isinstance(error.__context__, OSError):
            reason = _REASONS.get(error.__context__.errno or 0)
        if reason is None:
            raise
        raise UserError(f"cannot write {path}: {reason}") from error


@contextlib.contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside ``path`` (same suffix); rename it on success, remove it on any failure.

    The temporary path may be made a file or a folder. An existing target is replaced only at the very end.
    """
    path = Path(path)
    with explained(path), _new_folders(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name[:60]}.", dir=path.parent))
        try:
            part = folder / path.name
            yield part
            if part.is_dir() and path.is_dir():
                old = folder / "old"
                os.replace(path, old)
                try:
                    os.replace(part, path)
                except OSError:
                    os.replace(old, path)
                    raise
            else:
                os.replace(part, path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _new_folders(folder: Path) -> Iterator[None]:
    """On any failure remove ``folder`` and those around it, as far as they are new and empty."""
    new = [p for p in (folder, *folder.parents) if not p.exists()]  # from the inside out
    try:
        yield
    except BaseException:
        for path in new:
            with contextlib.suppress(OSError):  # not empty, or never made
                path.rmdir()
        raise


@contextlib.contextmanager
def nothing_left(folder: Path | str, unless: str) -> Iterator[None]:
    """On any error (not on Ctrl-C) remove what appeared in ``folder`` meanwhile, and the folder, if it is new, unless it
    holds the file ``unless`` by then.
    """
    folder = Path(folder)
    before = set(folder.iterdir()) if folder.is_dir() else set()
    with _new_folders(folder):
        try:
            yield
        except Exception:
            if not (folder / unless).exists() and folder.is_dir():
                for path in set(folder.iterdir()) - before:
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            raise


def cache_folder() -> Path:
    """Where what can be made again is kept: ``$VIDEOSYNTH_CACHE``, else ``videosynth`` in the user's cache folder."""
    own = os.environ.get("VIDEOSYNTH_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "videosynth"


def write_text(path: Path | str, text: str) -> None:
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def write_bytes(path: Path | str, data: bytes) -> None:
    with atomic(path) as part:
        part.write_bytes(data)


def write_json(path: Path | str, data: Any) -> None:
    write_text(path, json.dumps(data, indent=1) + "\n")


def read_json(path: Path | str) -> Any:
    """Read JSON; a missing or damaged file is a :class:`UserError`."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged ({error}): restore it or make it again") from None
