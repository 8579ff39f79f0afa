"""A disk that a process dies at: every write, sync, rename, folder and removal below a folder is counted and may be the last.

The process is gone from that step on: nothing of it reaches the disk any more, whatever it tries while it unwinds.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from pathlib import Path
from unittest import mock


class Killed(BaseException):
    """The process has died. No `except Exception` of the program may catch it."""


class Disk:
    """Watches what is done below `root`; at step `dies_at` (from 0) a share `torn` of that write is done, then nothing.

    With `full_at` instead, that step and every later one that needs room fails as on a full disk.
    """

    def __init__(self, root, *, dies_at=None, torn=0.0, full_at=None) -> None:
        self.root = str(Path(root).absolute())
        self.dies_at = dies_at
        self.full_at = full_at
        self.torn = torn
        self.dead = False
        self.steps: list[str] = []
        self._files: dict[int, str] = {}

    def step(self, what: str, path, *, needs_room=True) -> bool:
        """Count a step; return False when the disk is full and the step needs room. Killed when it is the last."""
        if self.dead:
            raise Killed
        number = len(self.steps)
        self.steps.append(f"{what} {Path(path).name}")
        if number == self.dies_at:
            self.dead = True
        return not (needs_room and self.full_at is not None and number >= self.full_at)

    def write(self, path, data, put) -> int:
        """Have `put` write `data`, or as much of it as there is life or room for."""
        data = bytes(data)
        room = self.step("write", path)
        if self.dead or not room:
            part = data[: int(len(data) * self.torn)]
            if part:
                put(part)
            if self.dead:
                raise Killed
            if part:
                return len(part)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return put(data)

    def inside(self, path) -> bool:
        """Return whether `path` lies below the folder that is watched."""
        return isinstance(path, str | os.PathLike) and str(Path(path).absolute()).startswith(
            self.root
        )

    @contextlib.contextmanager
    def watched(self):  # noqa: C901 - one small function for every call that reaches a disk
        """Watch while the block runs."""
        real = {
            name: getattr(os, name) for name in ("open", "write", "fsync", "fdatasync", "close")
        }

        def simple(name, what):
            function = getattr(os, name)

            def call(path, *args, **more):
                if self.inside(path):
                    room = self.step(what, path, needs_room=name == "mkdir")
                    if self.dead:
                        raise Killed
                    if not room:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return function(path, *args, **more)

            return mock.patch.object(os, name, call)

        def opened(path, *args, **more):
            if self.inside(path) and self.dead:
                raise Killed
            fd = real["open"](path, *args, **more)
            if self.inside(path):
                self._files[fd] = os.fspath(path)
            return fd

        def closed(fd):
            self._files.pop(fd, None)
            real["close"](fd)

        def written(fd, data):
            if fd not in self._files:
                return real["write"](fd, data)
            return self.write(self._files[fd], data, lambda part: real["write"](fd, part))

        def synced(name):
            def call(fd):
                # A file object's descriptor is not in the list; what is synced is ours all the same.
                if fd in self._files or _below(fd, self.root):
                    self.step("sync", self._files.get(fd, "file"), needs_room=False)
                    if self.dead:
                        raise Killed
                # What a dying process wrote stays: the system lives on. So nothing need be synced here.

            return mock.patch.object(os, name, call)

        io_open = io.open

        def file_opened(path, mode="r", *args, **more):
            if not (self.inside(path) and set(mode) & set("wax+")):
                return io_open(path, mode, *args, **more)
            if self.dead:
                raise Killed
            return _File(self, path, io_open(path, mode, buffering=0))

        with contextlib.ExitStack() as stack:
            for name, what in (
                ("replace", "rename"), ("rename", "rename"), ("mkdir", "mkdir"), ("unlink", "unlink"),
            ):  # fmt: skip
                stack.enter_context(simple(name, what))
            stack.enter_context(synced("fsync"))
            stack.enter_context(synced("fdatasync"))
            stack.enter_context(mock.patch.object(os, "open", opened))
            stack.enter_context(mock.patch.object(os, "close", closed))
            stack.enter_context(mock.patch.object(os, "write", written))
            stack.enter_context(mock.patch.object(io, "open", file_opened))
            stack.enter_context(mock.patch("builtins.open", file_opened))
            yield self


class _File:
    """A file opened for writing whose every write is a step."""

    def __init__(self, disk: Disk, path, file) -> None:
        self._disk, self._path, self._file = disk, path, file

    def write(self, data) -> int:
        done = self._disk.write(self._path, data, self._file.write)
        if done != len(bytes(data)):  # a buffered file would find out at its close
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return done

    def flush(self) -> None:
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)


def _below(fd: int, root: str) -> bool:
    try:
        return str(Path(f"/proc/self/fd/{fd}").readlink()).startswith(root)
    except OSError:
        return False
