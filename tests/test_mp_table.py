"""mp_table: an ordered multimap with case-insensitive keys (mod_python's manual, "Table Object")."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.lab import Lab, lab_server


@pytest.fixture(scope="module")
def lab(binary: Path, base_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab_server(binary, base_env, tmp_path_factory.mktemp("table")) as lab:
        yield lab


ABA = "t = apache.make_table(); t.add('a', '1'); t.add('b', 'x'); t.add('A', '2')\n"

VALUES: list[tuple[str, str, Any]] = [
    ("one entry of a key is a str", "t['b']", "x"),
    ("several entries of a key are a list, whatever the spelling", "t['A']", ["1", "2"]),
    ("get gives the first", "t.get('a')", "1"),
    ("get of a missing key is None", "t.get('zz')", None),
    ("get of a missing key takes a default", "t.get('zz', 7)", 7),
    ("keys come in the order of insertion, duplicates included", "t.keys()", ["a", "b", "A"]),
    ("values", "t.values()", ["1", "x", "2"]),
    ("items", "t.items()", [("a", "1"), ("b", "x"), ("A", "2")]),
    ("iterkeys", "list(t.iterkeys())", ["a", "b", "A"]),
    ("itervalues", "list(t.itervalues())", ["1", "x", "2"]),
    ("iteritems", "list(t.iteritems())", [("a", "1"), ("b", "x"), ("A", "2")]),
    ("iteration is over the keys", "list(t)", ["a", "b", "A"]),
    ("len counts duplicates", "len(t)", 3),
    ("in ignores case", "'B' in t, 'c' in t", (True, False)),
    ("has_key is an int", "t.has_key('B'), t.has_key('c')", (1, 0)),
    ("repr is newest first", "repr(t)", "{'A': '2', 'b': 'x', 'a': '1'}"),
    ("popitem pops the first", "t.popitem(), t.items()", (("a", "1"), [("b", "x"), ("A", "2")])),
    ("setdefault of a present key", "t.setdefault('b', 'z')", "x"),
    ("setdefault of a missing key stores the value", "t.setdefault('n', 'v'), t['n']", ("v", "v")),
    ("setdefault without a value stores an empty str", "t.setdefault('n'), t['n']", ("", "")),
    ("bytes are text as well", "t.add(b'k', b'caf\\xe9') or t['k']", "caf\xe9"),
    ("latin-1 goes in and out", "t.add('k', 'caf\\xe9') or t['k']", "caf\xe9"),
    ("equality compares as dicts", "t == {'a': ['1', '2'], 'A': ['1', '2'], 'b': 'x'}", True),
    ("inequality", "t != {'a': '1'}, t == 5", (True, False)),
    ("copy is a table of its own", "(lambda c: (c.add('n', '1'), len(c), len(t)))(t.copy())", (None, 4, 3)),
    ("clear", "t.clear() or t.items()", []),
    ("the type has mod_python's name", "str(type(t))", "<class 'mp_table'>"),
    ("it can be subclassed", "type('T', (apache.table,), {'n': 5})({'a': 1}).n", 5),
]


@pytest.mark.parametrize(("expression", "value"), [case[1:] for case in VALUES], ids=[case[0] for case in VALUES])
def test_table_value(lab: Lab, expression: str, value: Any) -> None:
    assert lab.run(ABA + f"result = {expression}") == value


STATEMENTS: list[tuple[str, str, Any]] = [
    ("assigning replaces the first, removes the others and keeps the spelling", "t['A'] = '9'", [("a", "9"), ("b", "x")]),
    ("assigning a new key appends", "t['C'] = '9'", [("a", "1"), ("b", "x"), ("A", "2"), ("C", "9")]),
    ("del removes all entries of the key", "del t['a']", [("b", "x")]),
    ("del of a missing key is no error", "del t['zz']", [("a", "1"), ("b", "x"), ("A", "2")]),
    ("update takes a mapping and makes text of its values", "t.update({'n': 5})", [("a", "1"), ("b", "x"), ("A", "2"), ("n", "5")]),
    ("update takes pairs", "t.update([('b', 'y')])", [("a", "1"), ("b", "y"), ("A", "2")]),
    ("update takes a table", "t.update(apache.make_table([('b', 'y')]))", [("a", "1"), ("A", "2"), ("b", "y")]),
]


@pytest.mark.parametrize(("statement", "items"), [case[1:] for case in STATEMENTS], ids=[case[0] for case in STATEMENTS])
def test_table_change(lab: Lab, statement: str, items: Any) -> None:
    assert lab.run(ABA + statement + "\nresult = t.items()") == items


@pytest.mark.parametrize(("source", "items"), [
    ("{'a': 1, 'b': 'x'}", [("a", "1"), ("b", "x")]), ("[('a', 1)]", [("a", "1")]), ("(('a', 1),)", [("a", "1")]),
    ("items={'a': None}", [("a", "None")]), ("", []), ("iter([('a', '1')])", [("a", "1")]),
])
def test_constructor_takes_mappings_and_pairs(lab: Lab, source: str, items: Any) -> None:
    assert lab.eval(f"apache.table({source}).items()") == items


@pytest.mark.parametrize(("code", "error"), [
    ("t['zz']", "KeyError: 'zz'"),
    ("t[5]", "TypeError: expected str or bytes, not int"),
    ("t['k'] = 5", "TypeError: expected str or bytes, not int"),
    ("t['k'] = None", "TypeError: expected str or bytes, not NoneType"),
    ("t['k'] = '\\u20ac'", "TypeError: not an ISO-8859-1 string"),
    ("t.add('\\u20ac', 'x')", "TypeError: not an ISO-8859-1 string"),
    ("t.update(None)", "AttributeError"),
    ("hash(t)", "TypeError: unhashable type: 'mp_table'"),
    ("apache.make_table().popitem()", "KeyError: 'popitem(): table is empty'"),
    ("apache.make_table([('a',)])", "ValueError: a pair has 2 elements, not 1"),
    ("[t.add('x', 'y') for k in t]", "RuntimeError: table changed size during iteration"),
    ("t.pop('a')", "AttributeError"),
    ("t.get()", "TypeError: get() takes 1 or 2 arguments (0 given)"),
    ("t.add('a')", "TypeError: add() takes 2 arguments (1 given)"),
])
def test_table_error(lab: Lab, code: str, error: str) -> None:
    assert lab.error(ABA + code).startswith(error)


def test_iterators_survive_their_table(lab: Lab) -> None:
    assert lab.run("i = apache.make_table([('a', '1'), ('b', '2')]).iteritems()\nresult = list(i)") == [("a", "1"), ("b", "2")]


def test_many_entries(lab: Lab) -> None:
    code = "t = apache.make_table()\nfor n in range(2000): t.add('k%d' % n, str(n))\nfor n in range(0, 2000, 2): del t['k%d' % n]\n"
    assert lab.run(code + "result = len(t), t.keys()[0], t['k1999']") == (1000, "k1", "1999")


def test_views_are_live_and_the_same_object(lab: Lab) -> None:
    code = "h = req.headers_out\nreq.headers_out['X-A'] = '1'\nresult = h['x-a'], h is req.headers_out, req.notes is req.notes"
    assert lab.run(code) == ("1", True, True)


def test_a_view_outlives_its_request_without_harm(lab: Lab) -> None:
    lab.run("import sys; sys.kept = req.headers_in, req.notes; req.notes['n'] = '1'")
    assert lab.run("import sys; result = sys.kept[0]['Host'] == req.headers_in['Host'], sys.kept[1]['n']") == (True, "1")
