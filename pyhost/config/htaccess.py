"""Per-folder configuration files: read when they are first met, again when they have changed."""
from __future__ import annotations

import hashlib
import os
import time

from .. import bridge
from ..errors import ConfigError, ConfigErrors
from .build import Builder
from .config import Config
from .merge import Layer, SectionDraft
from .parser import MAX_HTACCESS, Parser

__all__ = ["HtaccessCache"]

State = tuple[int, ...] | None
SETTLED_NS = 50_000_000  # two changes within a tick of the kernel's clock may look alike


class HtaccessCache:
    """What is in .htaccess files, by path, version and the overrides that were allowed.

    versions: the state (times, inode, size) of each path when it was last looked at, a digest of what was in it, and a number that goes up when that
    changes; by_id: every section found in one of them; their ids go on behind those of the configuration.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.next_id = config.next_id
        self.by_id: dict[int, SectionDraft] = {}
        self.versions: dict[str, tuple[State, bytes, int]] = {}
        self.known: dict[tuple[str, int], tuple[int, Layer, list[SectionDraft], list[ConfigError]]] = {}

    @staticmethod
    def state(path: str) -> State:
        """What changes when the file does; None: there is none."""
        try:
            found = os.stat(path)
        except OSError:
            return None
        now = time.time_ns()
        recent = now if abs(now - found.st_ctime_ns) < SETTLED_NS else 0  # no two looks at a file just changed are equal
        return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size, recent

    @staticmethod
    def digest(path: str) -> bytes:
        """Tells one content from another; empty: it cannot be read."""
        try:
            with open(path, "rb") as stream:
                return hashlib.sha256(stream.read(4 * MAX_HTACCESS + 1)).digest()
        except OSError:
            return b""

    def version(self, path: str) -> int:
        """The same number as long as the same is in the file, however often it is written. 0: there is none."""
        state = self.state(path)
        if state is None:
            return 0
        before = self.versions.get(path)
        if before is None or before[0] != state:
            digest = self.digest(path)
            number = before[2] + (digest != before[1]) if before else 1
            before = self.versions[path] = (state if digest else None, digest, number)  # what could not be read may be, the next time
        return before[2]

    def read(self, path: str, overrides: int) -> tuple[Layer, list[SectionDraft]]:
        """The layer and the sections of a file. A file that has gone is empty. Raises ConfigErrors."""
        version = self.version(path)
        known = self.known.get((path, overrides))
        if known is None or known[0] != version:
            layer, sections, errors = self.parse(path, overrides) if version else ({}, [], [])
            known = self.known[path, overrides] = (version, layer, sections, errors)
            self.by_id.update({draft.section.id: draft for draft in sections})
        if known[3]:
            raise ConfigErrors(known[3])
        return known[1], known[2]

    def parse(self, path: str, overrides: int) -> tuple[Layer, list[SectionDraft], list[ConfigError]]:
        parser = Parser(self.config.server_root, dict.fromkeys(self.config.main["defines"], ""), restricted=True)
        parser.read_file(path)
        there = bridge.available()
        builder = Builder(self.config.server_root, bridge.regex_error if there else None, bridge.text_error if there else None, overrides,
                          errors=list(parser.errors), next_id=self.next_id)
        layer, sections = builder.build_htaccess(parser.tree, os.path.dirname(path))
        self.next_id = builder.next_id
        return layer, sections, parser.errors if parser.stopped else builder.errors
