"""Per-folder configuration files: read when they are first met, again when they have changed."""
from __future__ import annotations

import os
import time

from .. import bridge
from ..errors import ConfigError, ConfigErrors
from .build import Builder
from .config import Config
from .merge import Layer, SectionDraft
from .parser import Parser

__all__ = ["HtaccessCache"]

State = tuple[int, ...] | None
SETTLED_NS = 50_000_000  # two changes within a tick of the kernel's clock may look alike


class HtaccessCache:
    """What is in .htaccess files, by path, state (times, inode, size) and the overrides that were allowed.

    by_id: every section found in one of them; their ids go on behind those of the configuration.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.next_id = config.next_id
        self.by_id: dict[int, SectionDraft] = {}
        self.known: dict[tuple[str, int], tuple[State, Layer, list[SectionDraft], list[ConfigError]]] = {}

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

    def read(self, path: str, overrides: int) -> tuple[Layer, list[SectionDraft]]:
        """The layer and the sections of a file. A file that has gone is empty. Raises ConfigErrors."""
        state = self.state(path)
        known = self.known.get((path, overrides))
        if known is None or known[0] != state:
            layer, sections, errors = self.parse(path, overrides) if state else ({}, [], [])
            known = self.known[path, overrides] = (state, layer, sections, errors)
            self.by_id.update({draft.section.id: draft for draft in sections})
        if known[3]:
            raise ConfigErrors(known[3])
        return known[1], known[2]

    def parse(self, path: str, overrides: int) -> tuple[Layer, list[SectionDraft], list[ConfigError]]:
        parser = Parser(self.config.server_root, dict.fromkeys(self.config.main["defines"], ""), restricted=True)
        parser.read_file(path)
        there = bridge.available()
        builder = Builder(self.config.server_root, bridge.regex_error if there else None, bridge.text_error if there else None, overrides,
                          next_id=self.next_id)
        layer, sections = builder.build_htaccess(parser.tree, os.path.dirname(path))
        self.next_id = builder.next_id
        return layer, sections, parser.errors if parser.stopped else [*parser.errors, *builder.errors]
