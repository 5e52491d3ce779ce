"""Lines and words of configuration files, by httpd's rules."""
import pytest

from pyhost.config.lexer import LexError, logical_lines, split_word, split_words


@pytest.mark.parametrize("text, lines", [
    ("", []),
    ("A b\nC d", [(1, "A b"), (2, "C d")]),
    ("  A b  \r\n\r\n\tC\r\n", [(1, "A b"), (3, "C")]),
    ("# no\n  # nor this\nA # b", [(3, "A # b")]),
    ("A \\\n  b \\\r\n c\nD", [(1, "A   b  c"), (4, "D")]),
    ("# a comment \\\ngoes on\nA", [(3, "A")]),
    ("A\\", [(1, "A")]),
    ("A \\\\\nB", [(1, "A \\B")]),
    ("\\\n\\\nA", [(1, "A")]),
])
def test_logical_lines(text: str, lines: list[tuple[int, str]]) -> None:
    assert list(logical_lines(text)) == lines


@pytest.mark.parametrize("text, words", [
    ("", []),
    ("  a\tb  c ", ["a", "b", "c"]),
    ('"a b" c', ["a b", "c"]),
    ("'a \"b\"' c", ['a "b"', "c"]),
    (r'"a \"b\" \\ \n"', [r'a "b" \ \n']),
    (r"'it\'s' x", ["it's", "x"]),
    (r"^/a\.b\\c$ \d", [r"^/a\.b\c$", r"\d"]),
    ('"" x', ["", "x"]),
    ('"a"b', ["a", "b"]),
    ('a"b c"', ['a"b', 'c"']),
    ("x'y", ["x'y"]),
])
def test_split_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize("text", ['"open', "a 'open", r'"open\"', '"open\\'])
def test_an_open_quote_is_named(text: str) -> None:
    with pytest.raises(LexError, match="closing [\"'] expected"):
        split_words(text)


def test_split_word_gives_the_rest_untouched() -> None:
    assert split_word('  404 "a  b" c ') == ("404", '"a  b" c ')


def test_many_words_are_split_in_linear_time() -> None:
    assert split_words('"a" ' * 200_000) == ["a"] * 200_000
