"""Layers of settings and the order in which they come together for a request.

A layer maps fields ("dir.options") to values; each field has its rule in the table. The order is httpd's: the server's own, Directory sections
shortest first with .htaccess files between them, DirectoryMatch, Files and FilesMatch, Location and LocationMatch, If.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .directives import FIELD_RULES
from .model import Override, Section, SectionKind
from .parser import Place

__all__ = ["Layer", "Override", "SectionDraft", "Within", "depth_of", "gather", "merge_layers", "merge_order", "merge_sections"]

Layer = dict[str, Any]


class Within:
    """The order of what stands within something else: first that of the server itself."""

    SERVER: tuple[Any, ...] = (-1, 0)
    PATTERN: tuple[Any, ...] = (1, 0)  # DirectoryMatch
    LOCATION: tuple[Any, ...] = (3, 0)

    @staticmethod
    def folder(path: str, is_htaccess: bool = False) -> tuple[Any, ...]:
        """A Directory, or the .htaccess file behind it."""
        return 0, depth_of(path) + is_htaccess / 2

    @staticmethod
    def files(where: tuple[Any, ...]) -> tuple[Any, ...]:
        return 2, where


@dataclass(slots=True)
class SectionDraft:
    """A section and what is set in it. lines: its directives as written, for -S.

    order: what is merged first among sections of one rank; without a difference it is the order of the file. For a Directory how deep it is, for Files
    where it stands, for If how many others it stands in, and where (see Within).
    mounted: of an application that is mounted, or of an alias inside one (which sets nothing): how specific it is; the most specific one counts alone.
    """

    section: Section
    place: Place
    layer: Layer = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    order: tuple[Any, ...] = ()
    mounted: int = 0


def gather(layer: Layer, name: str, value: Any) -> None:
    """Add one more value for a field within a section."""
    layer[name] = FIELD_RULES[name].gather(layer[name], value) if name in layer else value


def merge_layers(outer: Layer, inner: Layer) -> Layer:
    """A more specific layer over a more general one; neither is changed."""
    if not inner:
        return outer
    result = dict(outer)
    for name, value in inner.items():
        result[name] = FIELD_RULES[name].merge(outer[name], value) if name in outer else value
    return result


def depth_of(path: str) -> int:
    """How many folders deep: 0 for `/`."""
    return len([part for part in path.split("/") if part])


RANKS = {SectionKind.DIRECTORY: 0, SectionKind.DIRECTORY_MATCH: 1, SectionKind.FILES: 2, SectionKind.FILES_MATCH: 2, SectionKind.LOCATION: 3,
         SectionKind.LOCATION_MATCH: 3, SectionKind.IF: 4}


def merge_order(sections: Iterable[SectionDraft]) -> list[SectionDraft]:
    """Sections as route wants them: Directory shortest first, DirectoryMatch, Files, Location, If; Files and If in the order of what they stand in."""
    return sorted(sections, key=lambda s: (RANKS[s.section.kind], s.order))


def merge_sections(base: Layer, sections: Sequence[SectionDraft], htaccess: Sequence[str],
                   read: Callable[[str, int], tuple[Layer, list[SectionDraft]]]) -> tuple[Layer, list[SectionDraft]]:
    """Merge sections (matching ones, any order of kinds) and .htaccess files (paths, shallow first) over a server's layer.

    read: gives the layer and the sections of one .htaccess file under the overrides that hold there. Returns the result and all
    sections found in the files that were read.
    """
    layer = base
    inside: list[SectionDraft] = []
    most = max((each.mounted for each in sections), default=0)
    ordered = merge_order(each for each in sections if each.mounted in (0, most) and (each.layer or not each.mounted))
    waiting = list(htaccess)
    location = None

    def take_files(depth: float) -> None:
        nonlocal layer
        while waiting and depth_of(waiting[0]) - 1 < depth:
            path = waiting.pop(0)
            if layer.get("dir.allow_override", 0):
                found, sections_in_it = read(path, layer["dir.allow_override"])
                layer = merge_layers(layer, found)
                inside.extend(sections_in_it)

    for draft in ordered:
        kind = draft.section.kind
        take_files(depth_of(draft.section.pattern) if kind == SectionKind.DIRECTORY else float("inf"))
        layer = merge_layers(layer, draft.layer)
        if kind == SectionKind.LOCATION:
            location = draft.section.pattern.rstrip("/") or "/"
    take_files(float("inf"))
    if location is not None:
        layer = {**layer, "dir.location": location}
    return layer, inside
