"""A whole configuration: read, checked, servers with what they inherit; all that C needs but in Python's terms."""
from __future__ import annotations

import functools
import operator
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ConfigError, ConfigErrors
from .build import Builder, ServerDraft
from .expected import expects_cgi, modules_expected
from .finish import HTACCESS_PHASES, base_types, defaults, finish_server, hook_phases
from .merge import Layer, SectionDraft, merge_layers, merge_order
from .model import Alias, AliasKind, Listen, Pair, Regex, Section, SectionKind
from .parser import Node, Parser, Place

__all__ = ["Config", "Request", "Server", "read_config"]


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line says. before, after: directives of -C and -c; file: None for no file at all."""

    file: str | None
    server_root: str = ""
    defines: Sequence[str] = ()
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    one_process: bool = False


@dataclass(frozen=True, slots=True)
class Inherited:
    """Sections of the main server, and what every virtual host has to know of them: looked at once, not a thousand times."""

    sections: list[SectionDraft]
    phases: int = 0
    has_htaccess: bool = False


@dataclass(slots=True)
class Server:
    """The main server or a virtual host with everything inherited.

    inherited: the main server's sections, shared by all virtual hosts; own: what stands in it; both in merge order.
    """

    index: int
    draft: ServerDraft
    layer: Layer
    base: Layer
    own: list[SectionDraft]
    inherited: Inherited
    has_htaccess: bool = False

    @property
    def sections(self) -> list[SectionDraft]:
        """Main's before its own."""
        return self.inherited.sections + self.own

    def fields(self) -> dict[str, Any]:
        """The fields of its server_conf but base and sections, which install makes."""
        out = finish_server(self.layer)
        phases = hook_phases(self.base) | self.inherited.phases
        for draft in self.own:
            phases |= hook_phases(draft.layer)
        out.update(index=self.index, defn_name=self.draft.place.file, defn_line=self.draft.place.line, is_virtual=self.index > 0,
                   addresses=self.draft.addresses, has_htaccess=self.has_htaccess,
                   python_hook_phases=phases | (HTACCESS_PHASES if self.has_htaccess else 0))
        return out


@dataclass(slots=True)
class Config:
    """request: what it was read by; main: fields of main_conf; by_id: all sections."""

    request: Request
    server_root: str
    main: dict[str, Any] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)
    by_id: dict[int, SectionDraft] = field(default_factory=dict)
    tree: list[Node] = field(default_factory=list)
    errors: list[ConfigError] = field(default_factory=list)
    warnings: list[tuple[Place, str]] = field(default_factory=list)
    notes: list[tuple[Place, str]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    next_id: int = 1

    def check(self) -> None:
        """Raise ConfigErrors when there is any fault."""
        if self.errors:
            raise ConfigErrors(self.errors)


def read_config(request: Request, regex_error: Callable[[Regex], str | None] | None = None,
                environment: Mapping[str, str] | None = None, text_error: Callable[[int, str], str | None] | None = None) -> Config:
    """Read and check a configuration. All faults are in `errors` of the result, none is raised."""
    root = request.server_root or (os.path.dirname(os.path.abspath(request.file)) if request.file else os.getcwd())
    parser = Parser(os.path.abspath(root), dict.fromkeys(request.defines, ""), os.environ if environment is None else environment)
    for line in request.before:
        parser.read_text("-C", line)
    if request.file:
        parser.read_file(request.file)
    for line in request.after:
        parser.read_text("-c", line)
    builder = Builder(os.path.abspath(root), regex_error, text_error, errors=list(parser.errors))
    builder.build(parser.tree)
    config = Config(request, builder.server_root, tree=parser.tree, errors=parser.errors if parser.stopped else builder.errors,
                    warnings=[*parser.warnings, *builder.warnings], notes=parser.notes, files=parser.files)
    inherit(config, builder)
    finish_main(config, builder, parser)
    config.next_id = builder.next_id
    config.errors.sort(key=lambda error: (order_of_file(config, error.file), error.line))
    return config


def order_of_file(config: Config, file: str) -> int:
    return config.files.index(file) if file in config.files else -1 if file == "-C" else len(config.files)


def inherit(config: Config, builder: Builder) -> None:
    """Make each server whole: defaults, the main server's, its own."""
    for draft in builder.servers:
        add_application_locations(draft, builder)
    main = builder.servers[0]
    server_layer = merge_layers(defaults(), main.layer)
    base = merge_layers(defaults(), main.base)
    if "server.document_root" not in main.layer:
        server_layer = {**server_layer, "server.document_root": os.path.join(config.server_root, "htdocs")}
    main_sections = merge_order(main.sections)
    shared = Inherited(main_sections, functools.reduce(operator.or_, (hook_phases(each.layer) for each in main_sections), 0),
                       overrides_something(main_sections))
    for index, draft in enumerate(builder.servers):
        own = index > 0
        server = Server(index, draft, merge_layers(server_layer, draft.layer) if own else server_layer,
                        merge_layers(base, draft.base) if own else base, merge_order(draft.sections) if own else [], shared)
        server.has_htaccess = shared.has_htaccess or overrides_something(server.own)
        config.servers.append(server)
        config.by_id.update({each.section.id: each for each in draft.sections})


def overrides_something(sections: Sequence[SectionDraft]) -> bool:
    return any(each.layer.get("dir.allow_override") for each in sections)


#: The handler of applications that are mounted.
APPLICATIONS = {AliasKind.WSGI: "wsgi", AliasKind.ASGI: "asgi"}


#: Those that lead to files, and do so inside a mounted application, too.
TO_FILES = (AliasKind.PLAIN, AliasKind.MATCH, AliasKind.SCRIPT)
PATTERN = 1 << 30  # is more specific than any path


def add_application_locations(draft: ServerDraft, builder: Builder) -> None:
    """PyWSGIAlias and PyASGIAlias also are a Location with the handler, before the written ones so that those can change it. An alias inside of them
    is one without: files below the path of an application are served as files, whatever the order in the configuration (as with mod_wsgi)."""
    aliases: Sequence[Alias] = draft.layer.get("server.aliases", ())
    mounts = [path_of(each) for server in builder.servers for each in server.layer.get("server.aliases", ()) if each.kind in APPLICATIONS]
    made = []
    for each in aliases:
        path = path_of(each)
        layer: Layer = {}
        lines: list[str] = []
        if handler := APPLICATIONS.get(each.kind):
            layer = {"dir.set_handler": handler, "dir.wsgi_application": each.to, "dir.wsgi_mount": each.from_}
            lines = [f"SetHandler {handler}", f"PyWSGIApplication {each.to}"]
        elif not mounts or each.kind not in TO_FILES or not (each.regex or any(path.startswith(mount + "/") for mount in mounts)):
            continue
        kind = SectionKind.LOCATION_MATCH if each.regex else SectionKind.LOCATION
        section = Section(builder.next_id, kind, each.regex.pattern if each.regex else each.from_ or "/", regex=each.regex)
        builder.next_id += 1
        made.append(SectionDraft(section, draft.place, layer, lines, mounted=PATTERN if each.regex else len(path) + 1))
    draft.sections[:0] = sorted(made, key=lambda each: each.mounted)  # what is mounted inside another one counts


def path_of(alias: Alias) -> str:
    """Without a slash at its end."""
    return (alias.from_ or "").rstrip("/")


def finish_main(config: Config, builder: Builder, parser: Parser) -> None:
    """The fields of main_conf but servers."""
    layer = merge_layers({k: v for k, v in defaults().items() if k.startswith("main.")}, builder.main)
    out = {name[5:]: value for name, value in layer.items() if name.startswith("main.") and name[5] != "_"}
    if "main.pid_file" not in builder.main:
        out["pid_file"] = os.path.join(config.server_root, "pyhost.pid")
    types = {**base_types(), **out.get("types", {})}
    one = config.request.one_process
    out.update(server_root=config.server_root, config_file=os.path.abspath(config.request.file) if config.request.file else None,
               types=tuple(Pair(key, types[key]) for key in sorted(types, key=os.fsencode)), one_process=one,
               defines=tuple(parser.defines), listens=listens(config, out.get("listens", ()), layer))
    out.update(cgi_expected=expects_cgi(config.servers), expected_modules=modules_expected(config.servers))
    if one:
        out["start_servers"] = 0
    config.main = out


def listens(config: Config, found: Sequence[Listen], layer: Layer) -> tuple[dict[str, Any], ...]:
    """The fields of each listen_conf; faults of the list as a whole."""
    seen: dict[Any, str] = {}
    result = []
    told = any(error.directive == "Listen" or (error.file == config.request.file and not error.line) for error in config.errors)
    if not found and config.request.file and not told:  # nor when the file itself cannot be read
        config.errors.append(ConfigError(config.request.file, 0, "Listen", "at least one expected, such as Listen 8080"))
    for each in found:
        if each.address in seen and (each.address.port or each.address.path):
            file, _, line = each.where.rpartition(":")
            config.errors.append(ConfigError(file, int(line), "Listen", f"an address that is not listened to already ({seen[each.address]}) expected"))
        seen[each.address] = each.where
        result.append({"address": each.address, "protocol": each.protocol, "where": each.where, "backlog": layer["main._backlog"],
                       "mode": layer["main._mode"], "proxy_protocol": speaks_proxy(config, each), "fd": -1})
    return tuple(result)


def speaks_proxy(config: Config, listen: Listen) -> bool:
    """RemoteIPProxyProtocol of the main server holds everywhere, that of a virtual host for its addresses."""
    for server in config.servers:
        own = server.draft.layer.get("server._proxy_protocol", 0)
        if own and (server.index == 0 or any(a.port in (0, listen.address.port) and (not a.family or not listen.address.family or
                    replace(a, port=listen.address.port) == listen.address) for a in server.draft.addresses)):
            return True
    return False
