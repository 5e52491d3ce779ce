"""Lines and words of a configuration file, by httpd's rules.

A line that ends in a backslash goes on in the next one; a line whose first character is `#` is a comment (there are none at the end of a
line); words are separated by white space and may be quoted with `"` or `'`, inside which a backslash protects the quote and itself.
"""
from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["MAX_LINE", "LexError", "logical_lines", "split_word", "split_words"]

BARE_WORD = re.compile(r"[^ \t\r\n\f\v]+")
SPACE = re.compile(r"\s*")
UNESCAPE = {'"': re.compile(r'\\([\\"])'), "'": re.compile(r"\\([\\'])"), "": re.compile(r"\\(\\)")}
QUOTED = {'"': re.compile(r'"((?:[^"\\]|\\.)*)("|\\?$)'), "'": re.compile(r"'((?:[^'\\]|\\.)*)('|\\?$)")}
MAX_LINE = 1 << 20  # characters of one logical line


class LexError(ValueError):
    """A line that cannot be split into words; the message says what was expected."""


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number of the first line, content without outer white space) of each line that is neither empty nor a comment."""
    parts: list[str] = []
    first = 0
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if not parts:
            first = number
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        parts.append(line)
        whole = "".join(parts).strip()
        parts.clear()
        if whole and whole[0] != "#":
            yield first, whole
    if parts:
        whole = "".join(parts).strip()
        if whole and whole[0] != "#":
            yield first, whole


def word_at(text: str, at: int) -> tuple[str, int]:
    """The word that begins there, unquoted, and where the next one begins. Raises LexError: the closing quote is missing."""
    quote = text[at] if text[at] in "\"'" else ""
    found = (QUOTED[quote] if quote else BARE_WORD).match(text, at)
    if quote and (not found or found[2] != quote):
        raise LexError(f"closing {quote} expected: {text[at:at + 60]}")
    assert found
    word = found[1] if quote else found[0]
    if "\\" in word:
        word = UNESCAPE[quote].sub(r"\1", word)
    space = SPACE.match(text, found.end())
    return word, space.end() if space else found.end()


def split_word(text: str) -> tuple[str, str]:
    """Return the first word of text, unquoted, and the rest without leading white space.

    Raises LexError: the closing quote is missing.
    """
    text = text.lstrip()
    if not text:
        return "", ""
    word, end = word_at(text, 0)
    return word, text[end:]


def split_words(text: str) -> list[str]:
    """Return all words of text. Raises LexError as split_word does."""
    if '"' not in text and "'" not in text and "\\" not in text:
        return text.split()
    words = []
    text, at = text.strip(), 0
    while at < len(text):
        word, at = word_at(text, at)
        words.append(word)
    return words
