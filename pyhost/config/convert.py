"""Converters of httpd's directives that are more than one value: aliases, headers, variables, logs, types, options, listeners."""
from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .lexer import split_word
from .model import (
    OPTIONS_SHIFT,
    Alias,
    AliasKind,
    Expr,
    HeaderOp,
    HeaderRule,
    Listen,
    Option,
    Override,
    Pair,
    Protocol,
    Rate,
    SetEnvIf,
    TextKind,
)
from .table import Context, Convert, Several
from .values import absolute_path, address_list, milliseconds, number, regex, split_port, unix_address

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
MAX_TYPES = 16 << 20  # bytes of a TypesConfig file
STATUS_WORDS = {"permanent": 301, "temp": 302, "seeother": 303, "gone": 410}


def server_or_dir(ctx: Context, rule: Any) -> Several:
    """A value for the server's field at server level, for the section's elsewhere."""
    return Several(((rule,), None)) if ctx.where in "SV" else Several((None, (rule,)))


# --- paths and redirects

def url_path(word: str) -> str:
    if not word.startswith("/"):
        raise ValueError(f"a URL path that starts with / expected, not {word}")
    return word


def alias(kind: AliasKind) -> Convert:
    """`/path /folder`"""
    def convert(ctx: Context, words: Sequence[str]) -> tuple[Alias, ...]:
        target = absolute_path(ctx, words[1])
        return (Alias(kind, url_path(words[0]), target + "/" * (words[1].endswith("/") and target != "/")),)
    return convert


def alias_match(kind: AliasKind) -> Convert:
    """`regex /folder/$1`"""
    def convert(ctx: Context, words: Sequence[str]) -> tuple[Alias, ...]:
        target = words[1] if words[1].startswith(("/", "$")) else os.path.join(ctx.server_root, words[1])
        return (Alias(kind, words[0], target, 0, regex(words[0])),)
    return convert


def redirect(match: bool = False, fixed: int = 0) -> Convert:
    """`[status] [URL-path] URL`; the path may be left out inside of a Location or Directory."""
    def convert(ctx: Context, words: Sequence[str]) -> Several:
        rest = list(words)
        status = fixed or redirect_status(rest)
        needs_target = 300 <= status <= 399
        from_ = rest.pop(0) if len(rest) > (1 if needs_target else 0) else None
        target = rest.pop(0) if rest and needs_target else None
        if rest or (needs_target and target is None):
            raise ValueError("[status] URL-path URL expected" if needs_target else f"a URL path and no target expected for status {status}")
        if from_ is None and ctx.where in "SV":
            raise ValueError("a URL path and a URL expected at server level")
        if target is not None and not match and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|/", target):
            raise ValueError(f"a URL that starts with a scheme or / expected, not {target}")
        if match:
            return server_or_dir(ctx, Alias(AliasKind.REDIRECT_MATCH, from_ or "", target, status, regex(from_ if from_ is not None else "^")))
        return server_or_dir(ctx, Alias(AliasKind.REDIRECT, url_path(from_) if from_ is not None else None, target, status))
    return convert


def redirect_status(words: list[str]) -> int:
    """Take the status off the front of words; 302 when there is none."""
    if words and words[0].lower() in STATUS_WORDS:
        return STATUS_WORDS[words.pop(0).lower()]
    if words and words[0].isdigit():
        return number(words.pop(0), 300, 599, "a status")
    return 302


# --- header fields and variables

STRANGE_ITEM = re.compile(r"%(?![tDl]|\{[^}]*\}[es]|$)\S{0,20}")  # of a value
HEADER_WORDS = {HeaderOp.UNSET: 1, HeaderOp.EDIT: 3, HeaderOp.EDIT_ALL: 3}  # behind the action; others have two


def header_rule(request: bool) -> Convert:
    """`[always|onsuccess] action field [value [replacement]] [env=[!]VAR|expr=condition]`; a value may be `expr=text`."""
    ops = {"set": HeaderOp.SET, "add": HeaderOp.ADD, "append": HeaderOp.APPEND, "merge": HeaderOp.MERGE, "unset": HeaderOp.UNSET,
           "setifempty": HeaderOp.SETIFEMPTY, "edit": HeaderOp.EDIT, "edit*": HeaderOp.EDIT_ALL}
    if not request:
        ops["note"] = HeaderOp.NOTE

    def convert(ctx: Context, words: Sequence[str]) -> tuple[HeaderRule, ...]:
        rest = list(words)
        always = False
        if not request and rest[0].lower() in ("always", "onsuccess"):
            always = rest.pop(0).lower() == "always"
        env, only_if = condition_of(ctx, rest, 1 + HEADER_WORDS.get(ops.get(rest[0].lower(), HeaderOp.SET) if rest else HeaderOp.SET, 2))
        if not rest or rest[0].lower() not in ops:
            raise ValueError(f"an action ({', '.join(ops)}) expected" + (f", not {rest[0]}" if rest else ""))
        op = ops[rest.pop(0).lower()]
        wanted = HEADER_WORDS.get(op, 2)
        if len(rest) != wanted:
            raise ValueError(("", "a field name", "a field name and a value", "a field name, a regular expression and a replacement")[wanted] + " expected")
        name = rest[0].removesuffix(":")
        if not TOKEN.fullmatch(name):
            raise ValueError(f"the name of a header field expected, not {name}")
        if any(c in word for word in rest[1:] for c in "\r\n\0"):
            raise ValueError("a value without line ends expected")
        value = rest[-1] if wanted > 1 else None
        made = None
        if value is not None and (strange := STRANGE_ITEM.search(value.replace("%%", ""))) and not value.lower().startswith("expr="):
            raise ValueError(f"%t, %D, %l, %{{VARIABLE}}e, %{{VARIABLE}}s or %% expected in a value, not {strange[0]}")
        if value is not None and value.lower().startswith("expr="):
            made, value = Expr(value[5:], 1), None
            ctx.check(TextKind.EXPR, made.text)
        return (HeaderRule(op, always, name, value, env, regex(rest[1]) if wanted == 3 else None, only_if, made),)
    return convert


def condition_of(ctx: Context, words: list[str], least: int) -> tuple[str | None, Expr | None]:
    """Take a last word `env=[!]VAR` or `expr=…` off words and return it without what is before the `=`; least: words that are no `expr=…`."""
    last = words[-1].lower() if words else ""
    if last.startswith("env="):
        if not last[4:].removeprefix("!"):
            raise ValueError(f"the name of a variable expected after {words[-1]}")
        return words.pop()[4:], None
    if last.startswith("expr=") and len(words) > least:
        return None, condition(ctx, words.pop()[5:])
    return None, None


def condition(ctx: Context, text: str) -> Expr:
    """An expression that is true or false. Raises ValueError."""
    ctx.check(TextKind.CONDITION, text)
    return Expr(text)


def set_env(_ctx: Context, words: Sequence[str]) -> dict[str, str | None]:
    return {words[0]: words[1] if len(words) > 1 else ""}


def pass_env(ctx: Context, words: Sequence[str]) -> dict[str, str | None]:
    """The values that the server itself was started with."""
    for name in words:
        if name not in os.environ:
            ctx.warn(f"PassEnv {name}: not in the environment")
    return {name: os.environ[name] for name in words if name in os.environ}


def unset_env(_ctx: Context, words: Sequence[str]) -> dict[str, str | None]:
    return dict.fromkeys(words)


def variables(words: Sequence[str]) -> tuple[Pair, ...]:
    """`VAR`, `VAR=value` and `!VAR`."""
    pairs = []
    for word in words:
        name, equals, value = word.partition("=")
        if not name.removeprefix("!"):
            raise ValueError(f"VAR, VAR=value or !VAR expected, not {word}")
        pairs.append(Pair(name[1:], None) if name.startswith("!") else Pair(name, value if equals else "1"))
    return tuple(pairs)


def set_env_if(nocase: bool = False, attribute: str | None = None) -> Convert:
    """`attribute regex VAR[=value] …`; for BrowserMatch the attribute is User-Agent."""
    def convert(_ctx: Context, words: Sequence[str]) -> tuple[SetEnvIf, ...]:
        rest = list(words)
        name = attribute or rest.pop(0)
        if len(rest) < 2:
            raise ValueError("a regular expression and at least one variable expected")
        pattern = None if attribute or re.fullmatch(r"[\w-]+", name) else regex(name, True)  # a pattern of header names
        return (SetEnvIf(name, pattern, regex(rest[0], nocase), variables(rest[1:])),)
    return convert


# --- types and handlers by extension

def by_extension(lower_value: bool = False) -> Convert:
    """`value .ext …` -> {".ext": value}."""
    def convert(_ctx: Context, words: Sequence[str]) -> dict[str, str | None]:
        value = words[0].lower() if lower_value else words[0]
        return {"." + word.lower().removeprefix("."): value for word in words[1:]}
    return convert


def mark_extensions(expected: str) -> Convert:
    """A word for extensions. expected: what it is, with an example."""
    def convert(ctx: Context, words: Sequence[str]) -> dict[str, str | None]:
        if not TOKEN.fullmatch(words[0]):
            raise ValueError(f"{expected} expected, not {words[0]}")
        return dict(by_extension(True)(ctx, words))
    return convert


def language(_ctx: Context, words: Sequence[str]) -> str:
    if not TOKEN.fullmatch(words[0]):
        raise ValueError(f"a language such as en or pt-br expected, not {words[0]}")
    return words[0].lower()


def remove_extension(_ctx: Context, words: Sequence[str]) -> dict[str, str | None]:
    return {"." + word.lower().removeprefix("."): None for word in words}


def media_type(_ctx: Context, words: Sequence[str]) -> str | None:
    """A media type, or None."""
    if words[0].lower() == "none":
        return None
    check_type(words[0])
    return words[0]


def check_type(word: str) -> None:
    if not re.fullmatch(r"[!#$&^_.+0-9A-Za-z-]+/[!#$&^_.+0-9A-Za-z-]+(\s*;.*)?", word) or "\n" in word:
        raise ValueError(f"a media type such as text/html expected, not {word}")


def add_type(ctx: Context, words: Sequence[str]) -> dict[str, str | None]:
    check_type(words[0])
    return dict(by_extension()(ctx, words))


def set_handler(_ctx: Context, words: Sequence[str]) -> str:
    return "" if words[0].lower() == "none" else words[0]


def charset(_ctx: Context, words: Sequence[str]) -> str | None:
    lower = words[0].lower()
    if not TOKEN.fullmatch(words[0]):
        raise ValueError(f"On, Off or a character set expected, not {words[0]}")
    return None if lower == "off" else "iso-8859-1" if lower == "on" else words[0]


def types_file(ctx: Context, words: Sequence[str]) -> dict[str, str]:
    """The content of a mime.types file: {extension: type}."""
    name = absolute_path(ctx, words[0])
    try:
        with open(name, encoding="latin-1") as stream:
            text = stream.read(MAX_TYPES + 1)
    except OSError as error:
        raise ValueError(f"a readable file of media types expected: {name}: {error.strerror}") from None
    if len(text) > MAX_TYPES:
        raise ValueError(f"a file of media types of at most {MAX_TYPES} bytes expected, not {name}")
    lines = text.splitlines()
    split = [line.split() for line in lines if not line.lstrip().startswith("#")]
    return {extension.lower(): words_[0] for words_ in split for extension in words_[1:]}


# --- options

OPTION_WORDS: dict[str, int] = {
    "Indexes": Option.INDEXES, "FollowSymLinks": Option.FOLLOW_SYMLINKS, "SymLinksIfOwnerMatch": Option.SYMLINKS_IF_OWNER,
    "ExecCGI": Option.EXEC_CGI, "MultiViews": Option.MULTIVIEWS, "Includes": Option.INCLUDES, "IncludesNOEXEC": Option.INCLUDES,
    "All": Option.INDEXES | Option.FOLLOW_SYMLINKS | Option.SYMLINKS_IF_OWNER | Option.EXEC_CGI | Option.INCLUDES, "None": 0}


def signed_words(table: Mapping[str, int], words: Sequence[str]) -> tuple[bool, int, int]:
    """`A B`, or `+A -B`: (absolute, added bits, removed bits)."""
    lower = {key.lower(): value for key, value in table.items()}
    signs = {word[:1] in "+-" and word[:1] for word in words}
    if len({bool(sign) for sign in signs}) > 1:
        raise ValueError("either all words with + or -, or none of them expected")
    add = remove = 0
    for word in words:
        bits = lower.get(word.lstrip("+-").lower())
        if bits is None:
            raise ValueError(f"{', '.join(table)} expected, not {word}")
        if word.startswith("-"):
            add, remove = add & ~bits, remove | bits
        else:
            add, remove = add | bits, remove & ~bits
    return (not any(signs)), int(add), int(remove)


def options(ctx: Context, words: Sequence[str]) -> tuple[bool, int, int]:
    absolute, add, remove = signed_words(OPTION_WORDS, words)
    if (add | remove) & ~ctx.options:
        names = [name for name, bits in OPTION_WORDS.items() if bits and not bits & ~ctx.options]
        raise ValueError(f"{', '.join(names) or 'None'} expected here, as AllowOverride says, not {' '.join(words)}")
    return absolute, add, remove


OVERRIDE_WORDS: dict[str, int] = {"all": Override.ALL, "none": 0, "authconfig": Override.AUTHCONFIG, "fileinfo": Override.FILEINFO,
                                  "indexes": Override.INDEXES, "limit": Override.LIMIT, "options": Override.OPTIONS}


def allow_override(_ctx: Context, words: Sequence[str]) -> int:
    bits = 0
    for word in words:
        name, equals, listed = word.lower().partition("=")
        options_ = [option for option in listed.split(",") if option]
        if name not in OVERRIDE_WORDS or (equals and name != "options") or any(option[0] in "+-" for option in options_):
            raise ValueError(f"All, None, AuthConfig, FileInfo, Indexes, Limit, Options or Options=Option,… expected, not {word}")
        bits |= OVERRIDE_WORDS[name]
        if equals:
            bits |= Override.SOME_OPTIONS | signed_words(OPTION_WORDS, options_)[1] << OPTIONS_SHIFT
    return int(bits)


def file_etag(_ctx: Context, words: Sequence[str]) -> tuple[bool, int, int]:
    return signed_words({"MTime": 1, "Size": 2, "INode": 4, "All": 7, "None": 0}, words)


def directory_index(_ctx: Context, words: Sequence[str]) -> tuple[str, ...]:
    return () if [word.lower() for word in words] == ["disabled"] else tuple(words)


def max_ranges(_ctx: Context, words: Sequence[str]) -> int:
    """-1: unlimited, 0: none."""
    named = {"default": 200, "unlimited": -1, "none": 0}
    return named[words[0].lower()] if words[0].lower() in named else number(words[0], 1, 2**31 - 1, "default, unlimited, none or a number")


def error_document(_ctx: Context, words: Sequence[str]) -> dict[int, str | None]:
    """`status target`: the rest of the line; text may have one quote in front, as in old files."""
    code, _, target = words[0].partition(" ") if "\t" not in words[0] else words[0].replace("\t", " ", 1).partition(" ")
    target = target.strip()
    status = number(code, 400, 599, "a status")
    if not target:
        raise ValueError("a status and a URL path, URL or text expected")
    if target.lower() == "default":
        return {status: None}
    if target[0] in "\"'":
        closed = len(target) > 1 and target[-1] == target[0]
        target = split_word(target)[0] if closed else target[1:]
    return {status: target}


def resource_limit(_ctx: Context, words: Sequence[str]) -> Several:
    """`soft [hard]`; `max` is -1: the most there is."""
    found = [-1 if word.lower() == "max" else number(word, 1, (1 << 62) - 1, "a number or max") for word in words]
    return Several((found[0], found[-1]))


# --- servers, listeners

def server_name(_ctx: Context, words: Sequence[str]) -> Several:
    """`[scheme://]host[:port]` -> name, port, scheme."""
    found = re.fullmatch(r"(?:(https?)://)?([^/:\[\]\s]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?", words[0])
    if not found:
        raise ValueError(f"[scheme://]host[:port] expected, not {words[0]}")
    port = number(found[3], 1, 65535, "a port") if found[3] else 0
    return Several((found[2], port, found[1] or ""))


def server_alias(_ctx: Context, words: Sequence[str]) -> Several:
    """Plain names, names with wildcards."""
    lower = [word.lower().rstrip(".") for word in words]
    return Several((tuple(w for w in lower if not set(w) & set("*?")), tuple(w for w in lower if set(w) & set("*?"))))


def listen(ctx: Context, words: Sequence[str]) -> tuple[Listen, ...]:
    """`[address:]port [protocol]` or `unix:/path [protocol]`."""
    protocols = {each.name.lower(): each for each in Protocol}
    protocol = words[1].lower() if len(words) > 1 else "http"
    if protocol == "https":
        raise ValueError("http, fastcgi, scgi or uwsgi expected: TLS is not built in (let a proxy in front speak it)")
    if protocol not in protocols:
        raise ValueError(f"{', '.join(protocols)} expected, not {words[1]}")
    where = f"{ctx.place.file}:{ctx.place.line}"
    if words[0].startswith("unix:"):
        return (Listen(unix_address(ctx.server_root, words[0]), protocols[protocol], where),)
    host, port = split_port(words[0]) if not words[0].isdigit() else ("", number(words[0], 0, 65535, "a port"))
    if port is None:
        raise ValueError(f"a port, address:port or unix:/path expected, not {words[0]}")
    return tuple(Listen(each, protocols[protocol], where) for each in address_list(host, port))


def read_timeout(_ctx: Context, words: Sequence[str]) -> Several:
    """`header=20-40,MinRate=500 body=20,MinRate=500`; 0 is no limit."""
    rates: dict[str, Rate] = {}
    for word in words:
        found = re.fullmatch(r"(header|body|handshake)=(\w+)(?:-(\w+))?(?:,minrate=(\d{1,9}))?", word, re.IGNORECASE)
        if not found:
            raise ValueError(f"header=20-40,MinRate=500 or body=20,MinRate=500 expected, not {word}")
        first = milliseconds(found[2], "s")
        last = milliseconds(found[3], "s") if found[3] else 0
        if found[3] and last < first:
            raise ValueError(f"a second time that is not less than the first expected, not {word}")
        if found[3] and not found[4]:
            raise ValueError(f"MinRate expected with two times: {word}")
        rates[found[1].lower()] = Rate(first, last, int(found[4] or 0))
    return Several((rates.get("header"), rates.get("body")))
