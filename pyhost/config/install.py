"""Configurations as C tables. Generic: a value goes into the field of its name by the type that cffi says it has.

A sequence fills a pointer and the count beside it (`aliases` and `alias_count`); a dataclass or a mapping fills a struct; texts are kept once.
Everything made lives as long as the Installed object.
"""
from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from .. import bridge
from ..errors import PyhostError
from .config import Config, Server
from .finish import finish_dir
from .htaccess import HtaccessCache
from .merge import merge_sections
from .model import Expr, Regex, Section

__all__ = ["Installed", "Writer"]


class Writer:
    """Makes C values out of Python ones and owns them."""

    def __init__(self) -> None:
        self.texts: dict[str, Any] = {}
        self.regexes: dict[Regex, Any] = {}
        self.exprs: dict[Expr, Any] = {}
        self.arrays: dict[tuple[str, int], tuple[Any, Any]] = {}  # by the identity of the Python sequence, which is kept with it
        self.owned: list[Any] = []
        self.fields: dict[Any, dict[str, Any]] = {}
        self.names: dict[type, list[tuple[str, str]]] = {}

    def text(self, value: str) -> Any:
        found = self.texts.get(value)
        if found is None:
            found = self.texts[value] = bridge.ffi.new("char[]", os.fsencode(value))
        return found

    def regex(self, value: Regex) -> Any:
        """The compiled structure (borrowed copies may share what is compiled)."""
        found = self.regexes.get(value)
        if found is None:
            plain = bridge.ffi.new("struct regex_conf *", {"pattern": self.text(value.pattern), "nocase": int(value.nocase)})
            room = bridge.ffi.new("char[]", bridge.ROOM)
            if bridge.lib.bridge_regex_compile(plain, room, bridge.ROOM) < 0:
                raise PyhostError(f"{value.pattern}: {bridge.text_of(room)}")
            found = self.regexes[value] = bridge.ffi.gc(plain, bridge.lib.bridge_regex_free)
        return found

    def expr(self, value: Expr) -> Any:
        """As regex()."""
        found = self.exprs.get(value)
        if found is None:
            plain = bridge.ffi.new("struct expr_conf *", {"text": self.text(value.text), "kind": value.kind})
            room = bridge.ffi.new("char[]", bridge.ROOM)
            if bridge.lib.bridge_expr_compile(plain, room, bridge.ROOM) < 0:
                raise PyhostError(f"{value.text}: {bridge.text_of(room)}")
            found = self.exprs[value] = bridge.ffi.gc(plain, bridge.lib.bridge_expr_free)
        return found

    def new(self, ctype: str, values: Any) -> Any:
        """A struct of ctype ("struct x *"), filled and owned."""
        made = bridge.ffi.new(ctype)
        self.owned.append(made)
        self.fill(made, values)
        return made

    def members(self, ctype: Any) -> dict[str, Any]:
        found = self.fields.get(ctype)
        if found is None:
            found = self.fields[ctype] = {name: field.type for name, field in ctype.fields}
        return found

    def items(self, values: Any) -> list[tuple[str, Any]]:
        if isinstance(values, Mapping):
            return list(values.items())
        names = self.names.get(type(values))
        if names is None:
            names = self.names[type(values)] = [(field.name, field.name.rstrip("_")) for field in dataclasses.fields(values)]
        return [(c_name, getattr(values, name)) for name, c_name in names]

    def fill(self, target: Any, values: Any) -> None:
        """Fill a struct (a pointer to it, or a reference) from a mapping or a dataclass; None leaves a field zero."""
        ctype = bridge.ffi.typeof(target)
        members = self.members(ctype.item if ctype.kind == "pointer" else ctype)
        for name, value in self.items(values):
            if value is not None:
                self.store(target, members, name, value)

    def store(self, target: Any, members: dict[str, Any], name: str, value: Any) -> None:
        kind = members[name]
        if kind.kind in ("primitive", "enum"):
            setattr(target, name, int(value))
        elif isinstance(value, str):
            setattr(target, name, self.text(value))
            if name + "_len" in members:
                setattr(target, name + "_len", len(os.fsencode(value)))
        elif isinstance(value, Regex):
            setattr(target, name, self.regex(value)[0])
        elif isinstance(value, Expr):
            setattr(target, name, self.expr(value)[0])
        elif kind.kind == "struct":
            self.fill(getattr(target, name), value)
        elif kind.kind == "array":
            bridge.ffi.memmove(getattr(target, name), value, min(len(value), bridge.ffi.sizeof(kind)))
        elif isinstance(value, (tuple, list)):
            if value:
                setattr(target, name, self.array(kind, value))
                setattr(target, count_name(members, name), len(value))
        elif isinstance(value, bridge.ffi.CData):
            setattr(target, name, value)
        else:
            setattr(target, name, self.new(kind.cname.replace("const ", ""), value))

    def array(self, kind: Any, values: Sequence[Any]) -> Any:
        """An array for a field of pointer type; the same sequence is made once."""
        key = (kind.cname, id(values))
        if key in self.arrays:
            return self.arrays[key][0]
        made = bridge.ffi.new(bridge.ffi.getctype(kind.item, "[]"), len(values))
        for index, value in enumerate(values):
            if isinstance(value, str):
                made[index] = self.text(value)
            elif isinstance(value, bridge.ffi.CData):
                made[index] = value
            else:
                self.fill(made[index], value)
        self.arrays[key] = (made, values)
        return made


def count_name(members: dict[str, Any], name: str) -> str:
    """The field that says how long an array is: `aliases` has `alias_count`, `proxies` `proxy_count`, else `count`."""
    stems = [name, name.removesuffix("s"), name.removesuffix("es"), name.removesuffix("ies") + "y"]
    return next((stem + "_count" for stem in stems if stem + "_count" in members), "count")


class Installed:
    """One configuration in C, and what is needed to merge for requests.

    generation: counts configurations of this process; main: the `struct main_conf *`.
    """

    def __init__(self, config: Config, generation: int) -> None:
        self.config = config
        self.generation = generation
        self.writer = Writer()
        self.htaccess = HtaccessCache(config)
        self.merged: dict[Any, Any] = {}
        self.next_dir_id = 1
        self.main_sections: Any = None
        fields = dict(config.main)
        fields["generation"] = generation
        fields["servers"] = tuple(self.server(each) for each in config.servers)
        self.main = self.writer.new("struct main_conf *", fields)

    def server(self, server: Server) -> Any:
        fields = server.fields()
        fields["base"] = self.directory(finish_dir(server.base))
        fields["sections"], fields["section_count"] = self.sections(server)
        return self.writer.new("struct server_conf *", fields)

    def sections(self, server: Server) -> tuple[Any, int]:
        """An array of section_conf and its length: the main server's, copied as a whole, then the own ones."""
        shared = len(server.inherited.sections)
        if self.main_sections is None:
            self.main_sections = self.section_array([draft.section for draft in server.inherited.sections], 0)
        if not server.own:
            return self.main_sections, shared
        made = self.section_array([draft.section for draft in server.own], shared)
        bridge.ffi.memmove(made, self.main_sections, shared * bridge.ffi.sizeof("struct section_conf"))
        return made, shared + len(server.own)

    def section_array(self, sections: Sequence[Section], first: int) -> Any:
        made = bridge.ffi.new("struct section_conf[]", first + len(sections))
        for index, section in enumerate(sections, first):
            self.writer.fill(made[index], section)
        self.writer.owned.append(made)
        return made

    def directory(self, fields: dict[str, Any]) -> Any:
        made = self.writer.new("struct dir_conf *", fields)
        made.id = self.next_dir_id
        self.next_dir_id += 1
        return made

    def merge(self, server_index: int, ids: Sequence[int], htaccess: Sequence[str]) -> Any:
        """The `struct dir_conf *` for matching sections and .htaccess files; the same one for the same state of the files.

        Raises ConfigErrors: an .htaccess file is bad.
        """
        key = (server_index, tuple(ids), tuple((path, self.htaccess.version(path)) for path in htaccess))
        found = self.merged.get(key)
        if found is None:
            server = self.config.servers[server_index]
            by_id = {**self.htaccess.by_id, **self.config.by_id} if self.htaccess.by_id else self.config.by_id
            layer, inside = merge_sections(server.base, [by_id[each] for each in ids if each in by_id], htaccess, self.htaccess.read)
            fields = finish_dir(layer)
            fields["htaccess_sections"] = tuple(self.writer.new("struct section_conf *", draft.section) for draft in inside)
            found = self.merged[key] = self.directory(fields)
        return found
