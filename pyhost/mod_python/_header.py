"""Header values with parameters: `form-data; name="x"; filename="y"`."""
from __future__ import annotations

import re
from typing import overload

from ._query import decode

__all__ = ["parse_header"]

_PARAMETER = re.compile(r';\s*([^\s=;]+)\s*=\s*("(?:\\.|[^"\\])*"?|[^;]*)', re.DOTALL)


@overload
def parse_header(line: str) -> tuple[str, dict[str, str]]: ...
@overload
def parse_header(line: bytes) -> tuple[bytes, dict[bytes, bytes]]: ...
def parse_header(line: str | bytes) -> tuple[str, dict[str, str]] | tuple[bytes, dict[bytes, bytes]]:
    """Return the main value and the parameters of a header, names lower case; str for str, bytes for bytes.

    Quoted values are unquoted: `\\"` and `\\\\` (other backslashes stay: old browsers send Windows paths). The first of a repeated
    parameter counts. `name*=charset'lang'value` (RFC 5987) wins over `name=`.
    """
    if isinstance(line, bytes):
        value, found = parse_header(line.decode("latin-1"))
        return value.encode("latin-1"), {k.encode("latin-1"): v.encode("latin-1", "replace") for k, v in found.items()}
    value, _, _ = line.partition(";")
    parameters: dict[str, str] = {}
    extended: dict[str, str] = {}
    for match in _PARAMETER.finditer(line):
        name, text = match[1].lower(), match[2].strip()
        if text.startswith('"'):
            text = re.sub(r'\\(["\\])', r"\1", text[1:-1] if len(text) > 1 and text.endswith('"') else text[1:])
        if name.endswith("*") and text.count("'") >= 2:
            extended.setdefault(name[:-1], _extended(text))
        else:
            parameters.setdefault(name, text)
    return value.strip(), parameters | extended


def _extended(text: str) -> str:
    charset, _, quoted = text.split("'", 2)
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes((int(m[1], 16),)), quoted.encode("latin-1", "replace"))
    return decode(raw, charset or None)
