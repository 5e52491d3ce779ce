"""What -S shows: virtual hosts as httpd lists them, then each server's sections, handlers and interpreters."""
from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ..config.config import Config, Server
from ..config.model import Address, SectionKind

__all__ = ["dump"]

TITLES = {SectionKind.DIRECTORY: "Directory", SectionKind.DIRECTORY_MATCH: "DirectoryMatch", SectionKind.FILES: "Files",
          SectionKind.FILES_MATCH: "FilesMatch", SectionKind.LOCATION: "Location", SectionKind.LOCATION_MATCH: "LocationMatch", SectionKind.IF: "If"}


def address_text(address: Address) -> str:
    """`*:80`, `10.0.0.1:80`, `[::1]:80`, `unix:/path`."""
    if address.path:
        return f"unix:{address.path}"
    port = str(address.port or "*")
    if not address.family:
        return f"*:{port}"
    packed = ipaddress.ip_address(address.address[:4] if address.family == 2 else address.address)
    return f"[{packed}]:{port}" if packed.version == 6 else f"{packed}:{port}"


def name_of(server: Server) -> str:
    return str(server.layer.get("server.server_name", "(no ServerName)"))


def vhosts(config: Config) -> Iterator[str]:
    """httpd's table: by address, the first server of each is its default."""
    groups: dict[str, list[Server]] = {}
    for server in config.servers[1:]:
        for address in server.draft.addresses:
            groups.setdefault(address_text(address), []).append(server)
    yield "VirtualHost configuration:" if groups else "VirtualHost configuration: none, the main server answers everything"
    for where, servers in groups.items():
        first = servers[0]
        place = f"({first.draft.place.file}:{first.draft.place.line})"
        if len(servers) == 1:
            yield f"{where:<23}{name_of(first)} {place}"
            continue
        yield f"{where:<23}is a NameVirtualHost"
        yield f"{'':9}default server {name_of(first)} {place}"
        for server in servers:
            yield f"{'':9}port {where.rpartition(':')[2]} namevhost {name_of(server)} ({server.draft.place.file}:{server.draft.place.line})"
            for key in ("server.alias_names", "server.wild_names"):
                for alias in server.layer.get(key, ()):
                    yield f"{'':17}{'alias' if key.endswith('alias_names') else 'wild alias'} {alias}"


def interpreter(server: Server) -> str:
    forced = server.base.get("dir.python_interpreter")
    return str(forced) if forced else "main_interpreter"


def inherited(server: Server) -> Iterator[str]:
    """What a server has from elsewhere: the main server or defaults; and what follows from its own lines."""
    yield f"DocumentRoot: {server.layer['server.document_root']}"
    yield f"ErrorLog: {server.layer.get('server.error_log', '(standard error)')}"
    for log in server.layer.get("server.access_logs", ()):
        yield f"CustomLog: {log.path} {log.format}"
    yield f"Timeout: {server.layer['server.timeout_ms']} ms, KeepAlive: {'On' if server.layer['server.keep_alive'] else 'Off'}"
    forced = server.base.get("dir.python_interpreter")
    yield f"Interpreter: {forced or 'main_interpreter'}"
    lists = server.base.get("dir._hooks", {})
    for (directive, extension), hooks in lists.items():
        yield f"Handlers: {directive} {' '.join(hook.handler for hook in hooks)}" + (f" | {extension}" if extension else "")


def server_block(server: Server) -> Iterator[str]:
    """One server: what holds, then its lines and sections as written."""
    title = "Main server" if not server.index else f"VirtualHost {' '.join(map(address_text, server.draft.addresses))}"
    yield f"{title}: {name_of(server)}"
    yield from (f"  {line}" for line in inherited(server))
    yield from (f"  | {line}" for line in server.draft.lines)
    for draft in server.draft.sections:
        inside = f" in section {draft.section.parent_id}" if draft.section.parent_id > 0 else ""
        yield f"  <{TITLES[draft.section.kind]} {draft.section.pattern}> section {draft.section.id}{inside} ({draft.place.file}:{draft.place.line})"
        yield from (f"    | {line}" for line in draft.lines)


def dump(config: Config) -> str:
    """The whole of -S."""
    lines = list(vhosts(config))
    lines += [f"ServerRoot: \"{config.server_root}\"", f"PidFile: \"{config.main['pid_file']}\""]
    lines += [f"Listen: {address_text(each['address'])} {each['protocol'].name.lower()} ({each['where']})" for each in config.main["listens"]]
    lines += [f"StartServers: {config.main['start_servers']}"]
    lines += [f"Define: {name}" for name in config.main["defines"]]
    for imported in config.main.get("imports", ()):
        lines.append(f"PythonImport: {imported.module}{'::' + imported.function if imported.function else ''} in {imported.interpreter}")
    for server in config.servers:
        lines += list(server_block(server))
    return "\n".join(lines)
