"""The fence around a dataset: which files its manifest may name.

A manifest may come from strangers, and the audio it names is sent to a service. So no path and no symbolic link may
lead out of the dataset's folder, and no device, pipe or socket is audio.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True, kw_only=True)
class Fence:
    """What lies inside; remembers the folders it has looked at."""

    root: str
    """The dataset's folder, absolute, without symbolic links."""

    also: str | None = None
    """Another folder that the recipe opens, likewise; None: there is none."""

    absolute: bool = False
    """True: an absolute path may lead anywhere, because the user named this very manifest on the command line."""

    _folders: dict[tuple[str, str], tuple[Path, str]] = field(default_factory=dict)
    """Folder that a path starts from, and the path without its last part → the two joined, and as the disk has it."""

    def audio(self, text: str, base: str) -> Path | str:
        """Return the absolute path of the audio `text` names from folder `base`, or in words why it may not.

        A file that does not exist is inside or outside like any other.
        """
        if "://" in text:
            return f"“{text}” is a URL: download it first"
        head, slash, name = text.rpartition("/")
        if name in {"", ".", ".."}:
            return f"“{text}” is a folder"
        try:
            folder, real = self._folder(base, head + slash)
            target = f"{real}/{name}"
            mode = _mode(target)
            if mode is not None and stat.S_ISLNK(mode):
                target = os.path.realpath(target)
                mode = _mode(target)
        except OSError as error:
            return f"“{text}” cannot be a file: {error.strerror}"
        if not (self.absolute and text.startswith("/")) and not self._holds(target):
            remedy = "write it as an absolute path" if self.absolute else "import the dataset"
            return f"“{text}” leaves the dataset's folder: move the audio into it, or {remedy}"
        if mode is not None and not stat.S_ISREG(mode):
            return f"“{text}” is not a regular file"
        return folder / name

    def files(self, text: str, base: str) -> list[Path] | str:
        """Return the file that `text` names from folder `base`, or the visible files in the folder that it names, by name.

        Where one of them may not be read: in words why.
        """
        folder = Path(base, text)
        if not folder.is_dir():
            file = self.audio(text, base)
            return file if isinstance(file, str) else [file]
        found = []
        try:
            names = sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))
        except OSError as error:
            return f"“{text}” cannot be listed: {error.strerror}"
        for name in names:
            file = self.audio(f"{text.rstrip('/')}/{name}", base)
            if isinstance(file, str):
                return file
            found.append(file)
        return found or f"“{text}” is an empty folder"

    def _folder(self, base: str, head: str) -> tuple[Path, str]:
        found = self._folders.get((base, head))
        if found is None:
            folder = Path(os.path.normpath(Path(base, head)))
            found = self._folders[base, head] = folder, os.path.realpath(folder).rstrip("/")
        return found

    def _holds(self, path: str) -> bool:
        return any(
            path.startswith(folder.rstrip("/") + "/")
            for folder in (self.root, self.also)
            if folder is not None
        )


def _mode(path: str) -> int | None:
    """Return the mode of `path` itself, a link included; None when there is no such file, or we may not look."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
