"""Converters of Require and of the sections that combine requirements."""
from __future__ import annotations

from collections.abc import Sequence

from .lexer import split_word
from .model import Expr, Require, RequireKind, TextKind
from .table import Context
from .values import net

__all__ = ["CONTAINERS", "combine", "needs_user", "require", "unquoted"]

CONTAINERS = {"requireall": RequireKind.ALL_OF, "requireany": RequireKind.ANY_OF, "requirenone": RequireKind.NONE_OF}
NAMES = {RequireKind.ALL_OF: "<RequireAll>", RequireKind.ANY_OF: "<RequireAny>", RequireKind.NONE_OF: "<RequireNone>"}
WORDS = {"method": RequireKind.METHOD, "env": RequireKind.ENV, "user": RequireKind.USER, "group": RequireKind.GROUP}
EXPECTED = "all granted, all denied, ip, local, method, env, user, group, valid-user or expr"
USERS = (RequireKind.USER, RequireKind.GROUP, RequireKind.VALID_USER)


def require(ctx: Context, words: Sequence[str]) -> tuple[Require, ...]:
    """`[not] kind [word …]`"""
    negate = words[0].lower() == "not"
    rest = list(words[1:] if negate else words)
    if not rest:
        raise ValueError(f"{EXPECTED} expected")
    kind, rest = rest[0].lower(), rest[1:]
    if kind == "all":
        if negate or len(rest) != 1 or rest[0].lower() not in ("granted", "denied"):
            raise ValueError("all granted or all denied expected")
        return (Require(RequireKind.GRANTED if rest[0].lower() == "granted" else RequireKind.DENIED),)
    if kind in ("local", "valid-user"):
        if rest:
            raise ValueError(f"nothing after {kind} expected, not {rest[0]}")
        return (Require(RequireKind.LOCAL if kind == "local" else RequireKind.VALID_USER, negate),)
    if kind == "expr":
        return (Require(RequireKind.EXPR, negate, expr=expression(ctx, negate)),)
    if kind == "host":
        raise ValueError(f"{EXPECTED} expected: host would wait for a name server; use ip")
    if kind != "ip" and kind not in WORDS:
        raise ValueError(f"{EXPECTED} expected, not {kind}")
    if not rest:
        raise ValueError(f"at least one word after {kind} expected")
    if kind == "ip":
        return (Require(RequireKind.IP, negate, nets=tuple(map(net, rest))),)
    return (Require(WORDS[kind], negate, words=tuple(rest)),)


def expression(ctx: Context, negate: bool) -> Expr:
    """What follows `expr`, as it stands in the file: its quotes are its own, but for those around the whole. Raises ValueError."""
    text = ctx.args.split(None, 1 + negate)[-1].strip() if len(ctx.args.split()) > 1 + negate else ""
    if not text:
        raise ValueError("an expression after expr expected")
    text = unquoted(text)
    ctx.check(TextKind.CONDITION, text)
    return Expr(text)


def unquoted(text: str) -> str:
    """An expression without quotes around the whole of it."""
    return split_word(text)[0] if len(text) > 1 and text[0] == '"' and not split_word(text)[1] else text


def combine(kind: RequireKind, children: Sequence[Require]) -> Require:
    """A container with its requirements, or the one it has.

    Raises ValueError: what stands in it can never grant (httpd's rules).
    """
    if not children:
        raise ValueError("at least one Require expected in it")
    if kind != RequireKind.ALL_OF and any(child.negate or child.kind == RequireKind.NONE_OF for child in children):
        raise ValueError(f"no negative requirement expected in {NAMES[kind]}: put it into <RequireAll>")
    if kind == RequireKind.ALL_OF and all(child.negate or child.kind == RequireKind.NONE_OF for child in children):
        raise ValueError("a requirement that can grant expected beside the negative ones in <RequireAll> (Require all granted)")
    if len(children) == 1 and kind != RequireKind.NONE_OF:
        return children[0]
    return Require(kind, children=tuple(children))


def needs_user(tree: Require) -> bool:
    """Does some part of the tree ask who the user is?"""
    return tree.kind in USERS or (tree.expr is not None and "REMOTE_USER" in tree.expr.text.upper()) or any(map(needs_user, tree.children))
