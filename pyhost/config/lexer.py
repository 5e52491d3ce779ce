"""Lines and words of a configuration file, by httpd's rules.

A line that ends in a backslash goes on in the next one; a line whose first character is `#` is a comment (there are none at the end of a
line); words are separated by white space and may be quoted with `"` or `'`, inside which a backslash protects the quote and itself.
"""
from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["LexError", "logical_lines", "split_word", "split_words"]

BARE_WORD = re.compile(r"[^ \t\r\n\f\v]+")
UNESCAPE = {'"': re.compile(r'\\([\\"])'), "'": re.compile(r"\\([\\'])"), "": re.compile(r"\\(\\)")}
QUOTED = {'"': re.compile(r'"((?:[^"\\]|\\.)*)("|\\?$)'), "'": re.compile(r"'((?:[^'\\]|\\.)*)('|\\?$)")}
MAX_LINE = 1 << 20  # characters of one logical line: a binary file given by mistake ends here


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


def split_word(text: str) -> tuple[str, str]:
    """Return the first word of text, unquoted, and the rest without leading white space.

    Raises LexError: the closing quote is missing.
    """
    text = text.lstrip()
    if not text:
        return "", ""
    quote = text[0] if text[0] in "\"'" else ""
    if quote:
        found = QUOTED[quote].match(text)
        if not found or found[2] != quote:
            raise LexError(f"closing {quote} expected: {text[:60]}")
        word = found[1]
    else:
        found = BARE_WORD.match(text)
        assert found
        word = found[0]
    if "\\" in word:
        word = UNESCAPE[quote].sub(r"\1", word)
    return word, text[found.end():].lstrip()


def split_words(text: str) -> list[str]:
    """Return all words of text. Raises LexError as split_word does."""
    if '"' not in text and "'" not in text and "\\" not in text:
        return text.split()
    words = []
    text = text.strip()
    while text:
        word, text = split_word(text)
        words.append(word)
    return words
