"""Converters of the directives of directory listings."""
from __future__ import annotations

import re
from collections.abc import Sequence

from .convert import signed_words
from .model import IndexMark, IndexMarkKind, IndexOption
from .table import Context, Convert, Several

__all__ = ["beside", "descriptions", "index_options", "marks", "order", "url"]

INDEX_NOTHING = ("FancyIndexing", "HTMLTable", "XHTML", "SuppressRules", "ScanHTMLTitles", "TrackModified", "UseOldDateFormat", "AddAltClass", "ShowForbidden", "IconHeight", "IconWidth")  # of httpd's own look
INDEX_OPTION_WORDS: dict[str, int] = {
    "FoldersFirst": IndexOption.FOLDERS_FIRST, "IgnoreCase": IndexOption.IGNORE_CASE,
    "SuppressSize": IndexOption.SUPPRESS_SIZE, "SuppressLastModified": IndexOption.SUPPRESS_LAST_MODIFIED,
    "VersionSort": IndexOption.VERSION_SORT, "SuppressColumnSorting": IndexOption.SUPPRESS_COLUMN_SORTING, "IgnoreClient": IndexOption.IGNORE_CLIENT,
    "SuppressIcon": IndexOption.SUPPRESS_ICON, "SuppressDescription": IndexOption.SUPPRESS_DESCRIPTION, "IconsAreLinks": IndexOption.ICONS_ARE_LINKS,
    "SuppressHTMLPreamble": IndexOption.SUPPRESS_HTML_PREAMBLE, "None": 0}


def index_options(_ctx: Context, words: Sequence[str]) -> tuple[bool, int, int]:
    """httpd's words; those that shape its own page (`HTMLTable`, `NameWidth=*`) change nothing here."""
    nothing = {word.lower() for word in INDEX_NOTHING}
    kept = [word for word in words if not re.match(r"[+-]?(NameWidth|DescriptionWidth|IconHeight|IconWidth|Charset|Type)=", word, re.IGNORECASE)
            and word.lstrip("+-").lower() not in nothing]
    return signed_words(INDEX_OPTION_WORDS, kept) if kept else (False, 0, 0)


FOLDER = {"^^directory^^": IndexMarkKind.DIRECTORY, "**directory**": IndexMarkKind.DIRECTORY, "^^blankicon^^": IndexMarkKind.BLANK,
          "**blank**": IndexMarkKind.BLANK}


def rules(kind: IndexMarkKind, value: str, words: Sequence[str]) -> tuple[IndexMark, ...]:
    """One rule for each word; ^^DIRECTORY^^ is no name but stands for all folders."""
    special = FOLDER if kind == IndexMarkKind.NAME else {}
    return tuple(IndexMark(special.get(word.lower(), kind), word, value) for word in words)


def url(_ctx: Context, words: Sequence[str]) -> str:
    """The address of an icon."""
    if not re.match(r"/|https?://", words[0]):
        raise ValueError(f"a URL path or a URL expected, not {words[0]}")
    return words[0]


def marks(kind: IndexMarkKind, icon: bool) -> Convert:
    """`value name …`; for icons the value may be `(ALT,url)`, which is a rule for the words in its place as well."""
    def convert(ctx: Context, words: Sequence[str]) -> Several:
        if not icon:
            return Several((None, rules(kind, words[0], words[1:])))
        found = re.fullmatch(r"\(([^,]*),(.*)\)", words[0])
        if words[0].startswith("(") and not found:
            raise ValueError(f"(ALT,URL) expected, not {words[0]}")
        alts = rules(kind, found[1], words[1:]) if found else None
        return Several((rules(kind, url(ctx, [found[2] if found else words[0]]), words[1:]), alts))
    return convert


def descriptions(_ctx: Context, words: Sequence[str]) -> tuple[IndexMark, ...]:
    """`text name …`"""
    return rules(IndexMarkKind.NAME, words[0], words[1:])


def beside(_ctx: Context, words: Sequence[str]) -> str:
    """The name of a file in the folder that is listed, or a URL path."""
    if ".." in words[0].split("/") or not words[0] or "\0" in words[0]:
        raise ValueError(f"a name without .. expected, not {words[0]}")
    return words[0]


def order(_ctx: Context, words: Sequence[str]) -> Several:
    """`Ascending|Descending Name|Date|Size|Description`"""
    columns = {"name": "N", "date": "M", "size": "S", "description": "D"}
    if words[0].lower() not in ("ascending", "descending") or words[1].lower() not in columns:
        raise ValueError(f"Ascending or Descending, and Name, Date, Size or Description expected, not {' '.join(words)}")
    return Several((ord(columns[words[1].lower()]), int(words[0].lower() == "descending")))
