"""From layers to what C reads: defaults below, names of conf.h above; pure Python, generic but for the few fields that are computed."""
from __future__ import annotations

import functools
import mimetypes
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from .convert_access import combine, needs_user
from .convert_logs import COMBINED, COMMON
from .convert_python import INIT_IN_SECTION, PHASES
from .directives import TABLE
from .merge import Layer
from .model import ErrorDocument, Hook, HookList, ModuleLevel, Net, Pair, Phase, Require, RequireKind
from .parser import Place
from .table import Context, Several

__all__ = ["HTACCESS_PHASES", "base_types", "defaults", "finish_dir", "finish_server", "hook_phases"]

EXTRA_TYPES = {
    "avif": "image/avif", "gz": "application/gzip", "ico": "image/vnd.microsoft.icon", "jsonl": "application/jsonl", "log": "text/plain",
    "map": "application/json", "md": "text/markdown", "mjs": "text/javascript", "otf": "font/otf", "ttf": "font/ttf", "wasm": "application/wasm",
    "webmanifest": "application/manifest+json", "webp": "image/webp", "woff": "font/woff", "woff2": "font/woff2", "xz": "application/x-xz",
    "bz2": "application/x-bzip2", "zst": "application/zstd", "flac": "audio/flac", "opus": "audio/ogg", "ogg": "audio/ogg", "ogv": "video/ogg",
    "7z": "application/x-7z-compressed", "yaml": "application/yaml", "yml": "application/yaml", "ics": "text/calendar", "js": "text/javascript"}
HTACCESS_PHASES = sum(1 << phase for phase in PHASES.values() if phase not in (Phase.POST_READ_REQUEST, Phase.TRANS))


@functools.cache
def base_types() -> dict[str, str]:
    """The built-in media types by extension (without dot, lower case): Python's table and what the web has come to use since."""
    types = mimetypes.MimeTypes(filenames=()).types_map[True]
    found = {extension.lstrip(".").lower(): kind for extension, kind in types.items()}
    found.pop("py", None)  # a source that nobody asked to show should at least not look like a page
    return {**found, "py": "text/x-python", **EXTRA_TYPES}


@functools.cache
def defaults() -> Layer:
    """Every default of the table, converted: one layer below all others. Callers do not change it."""
    layer: Layer = {}
    nowhere = Context("S", Place("(default)", 0), "/", "", lambda _sentence: None, check_files=False)
    for row in TABLE.values():
        if row.default and not row.default.startswith("(") and row.fields:
            value = row.convert(nowhere, row.default.split() if row.most != 1 else [row.default])
            parts = value if isinstance(value, Several) else (value,)
            for name, part in zip(row.fields, parts, strict=False):
                if not name.endswith("python_config"):  # get_config() shows only what was configured
                    layer[name] = part
    layer["main.start_servers"] = min(os.cpu_count() or 1, 128)
    layer["server._log_formats"] = {"common": COMMON, "combined": COMBINED, "": COMBINED}
    return layer


def pairs(mapping: Mapping[str, str | None], keep_none: bool = False) -> tuple[Pair, ...]:
    return tuple(Pair(key, value) for key, value in mapping.items() if keep_none or value is not None)


def hook_phases(layer: Layer) -> int:
    """Bits of the phases for which a layer has handlers."""
    return sum({1 << phase_of(key) for key, _extension in layer.get("dir._hooks", ())})


def phase_of(key: str) -> Phase:
    return Phase.HEADER_PARSER if key == INIT_IN_SECTION else PHASES[key]


def hook_lists(lists: Mapping[tuple[str, str | None], tuple[Hook, ...]]) -> tuple[HookList, ...]:
    """Lists by phase, those with an extension before the plain one; init handlers come first in the list of the phase they run in."""
    result: list[HookList] = []
    by_phase: dict[Phase, list[str]] = {}
    for key, _extension in lists:
        keys = by_phase.setdefault(phase_of(key), [])
        if key not in keys:
            keys.append(key)
    for phase, keys in sorted(by_phase.items()):
        keys.sort(key=lambda key: not key.startswith("PythonInit"))
        extensions: Iterable[str | None] = sorted({str(e) for key, e in lists if key in keys and e is not None})
        for extension in (*extensions, None):
            hooks: tuple[Hook, ...] = ()
            for key in keys:
                hooks += lists.get((key, extension)) or lists.get((key, None), ())
            if hooks:
                result.append(HookList(phase, extension, hooks))
    return tuple(result)


def options(shown: Mapping[str, tuple[str, str]]) -> tuple[Pair, ...]:
    return tuple(Pair(key, value) for key, value in shown.values())


def requirement(found: tuple[Require, ...]) -> Require | None:
    """What stands in one section: any of it is enough."""
    return combine(RequireKind.ANY_OF, found) if found else None


def finish_dir(layer: Layer) -> dict[str, Any]:
    """The fields of a dir_conf."""
    out = {name[4:]: value for name, value in layer.items() if name.startswith("dir.") and name[4] != "_"}
    out["add_type"] = pairs(out.get("add_type", {}), keep_none=True)
    for name in ("add_handler", "add_charset", "add_encoding", "add_language", "python_config", "add_input_filter", "add_output_filter"):
        out[name] = pairs(out.get(name, {}))
    out["setenv"] = pairs(out.get("setenv", {}), keep_none=True)
    out["error_documents"] = tuple(ErrorDocument(status, target) for status, target in out.get("error_documents", {}).items() if target)
    for name in ("options", "index_options", "file_etag"):
        out[name] = out[name][1]
    out["require"] = requirement(layer.get("dir._require", ()))
    out["require_needs_user"] = out["require"] is not None and needs_user(out["require"])
    out["hook_lists"] = hook_lists(layer.get("dir._hooks", {}))
    out["hook_phases"] = hook_phases(layer)
    out["input_filters"] = tuple(layer.get("dir._input_filters", {}).values())
    out["output_filters"] = tuple(layer.get("dir._output_filters", {}).values())
    out["python_options"] = options(layer.get("dir._python_options", {}))
    return out


def log_levels(found: Iterable[tuple[str, int]]) -> tuple[int, tuple[ModuleLevel, ...]]:
    """The general level, and those of modules named after it: a general one takes back what was said before."""
    levels: dict[str, int] = {}
    for module, level in found:
        levels = {"": level} if not module else {**levels, module: level}
    return levels.pop(""), tuple(ModuleLevel(module, level) for module, level in levels.items())


def finish_server(layer: Layer) -> dict[str, Any]:
    """The fields of a server_conf that come from directives."""
    out = {name[7:]: value for name, value in layer.items() if name.startswith("server.") and name[7] != "_"}
    formats = layer["server._log_formats"]
    out["access_logs"] = tuple(replace(log, format=formats.get(log.format, log.format)) for log in out.get("access_logs", ()))
    out["log_level"], out["module_levels"] = log_levels(layer["server._log_levels"])
    events = layer.get("server._error_log_formats", {})
    out["error_log_format"] = events[""][-1] if "" in events else None
    out["error_connection_formats"], out["error_request_formats"] = events.get("connection", ()), events.get("request", ())
    out["python_config"] = pairs(out.get("python_config", {}))
    out["python_options"] = options(layer.get("server._python_options", {}))
    out["server_scheme"] = out.get("server_scheme") or None
    internal: tuple[Net, ...] = out.get("internal_proxies", ())
    out["trusted_proxies"] = out.get("trusted_proxies", ()) + internal
    return out
