"""From text to a tree: sections, Include, Define, conditions, modules; every fault with its file and line."""
from pathlib import Path

import pytest

from pyhost.config.parser import Node, Parser


def parse(text: str, **more: object) -> Parser:
    parser = Parser("/nowhere", environment={"HOME": "/h", "WHO": "env"}, **more)  # type: ignore[arg-type]
    parser.read_text("t", text)
    return parser


def plain(nodes: list[Node]) -> list[object]:
    return [(n.name, n.args) if n.children is None else (n.name, n.args, plain(n.children)) for n in nodes]


def test_sections_nest_and_keep_their_place() -> None:
    parser = parse("A 1\n<Outer x>\n <Inner>\n  B\n </Inner>\n</outer>\nC")
    assert plain(parser.tree) == [("A", "1"), ("Outer", "x", [("Inner", "", [("B", "")])]), ("C", "")]
    assert parser.tree[1].children and parser.tree[1].children[0].place.line == 3
    assert not parser.errors


@pytest.mark.parametrize("text, errors", [
    ("<A x", ["t:1: A: closing > expected", "t:1: <A>: </A> expected before the end of the file"]),
    ("<A>\nB", ["t:1: <A>: </A> expected before the end of the file"]),
    ("</A>", ["t:1: </A>: no section is open here"]),
    ("<A>\n</B>\n</A>", ["t:2: </B>: </A> expected (opened in line 1)"]),
    ("<A>\n<B>\n</A>", ["t:2: <B>: </B> expected before </A> in line 3"]),
    ("A \0b", ["t:1: a text file expected: there is a NUL byte in this line"]),
    ("Include", ["t:1: Include: one file, folder or pattern expected"]),
    ("Include missing.conf", ["t:1: Include: a readable file expected: /nowhere/missing.conf: No such file or directory"]),
    ("Include missing/*.conf", ["t:1: Include: a file expected: nothing matches /nowhere/missing/*.conf"]),
    ("IncludeOptional missing.conf\nIncludeOptional missing/*.conf", []),
    ("Define", ["t:1: Define: a name and at most one value expected"]),
    ("Define a:b c", ["t:1: Define: a name without ':' expected"]),
    ('Define "a', ['t:1: Define: closing " expected: "a']),
    ("<IfDefine>\n</IfDefine>", ["t:1: <IfDefine>: one name expected, with ! in front for the opposite"]),
    ("Error This \"is wrong\"", ["t:1: Error: This is wrong"]),
])
def test_faults_are_named(text: str, errors: list[str]) -> None:
    assert [str(error) for error in parse(text).errors] == errors


def test_an_unknown_module_is_an_error_that_lists_what_there_is() -> None:
    error = str(parse("LoadModule nonsense_module modules/x.so").errors[0])
    assert error.startswith("t:1: LoadModule: a module that is built in expected (core_module, ") and error.endswith("not nonsense_module")


def test_known_modules_are_noted() -> None:
    parser = parse("LoadModule python_module modules/mod_python.so\nLoadModule rewrite_module modules/mod_rewrite.so")
    assert not parser.errors
    assert [note for _, note in parser.notes] == ["LoadModule python_module: built in",
                                                  "LoadModule rewrite_module: not part of pyhost: its directives are not there"]


@pytest.mark.parametrize("condition, holds", [
    ("IfModule mod_python.c", True), ("IfModule python_module", True), ("IfModule !mod_python.c", False),
    ("IfModule mod_rewrite.c", False), ("IfModule !mod_rewrite.c", True), ("IfDefine GIVEN", True), ("IfDefine !GIVEN", False),
    ("IfDefine OTHER", False), ("IfFile /", True), ("IfFile /there/is/none", False), ("ifdefine !OTHER", True),
])
def test_conditions(condition: str, holds: bool) -> None:
    name = condition.split()[0]
    parser = parse(f"<{condition}>\nA\n<S>\nB\n</S>\n</{name}>\nC", defines={"GIVEN": ""})
    assert plain(parser.tree) == ([("A", ""), ("S", "", [("B", "")])] if holds else []) + [("C", "")]
    assert not parser.errors


def test_what_is_left_out_is_not_carried_out() -> None:
    parser = parse("<IfDefine NOT>\nInclude missing.conf\nDefine X y\n<IfDefine Z>\n</IfDefine>\nA ${nothing}\n</IfDefine>")
    assert not parser.errors and not parser.warnings and parser.defines == {} and parser.tree == []


def test_variables_come_from_define_then_the_environment() -> None:
    parser = parse("Define WHO me\nA ${WHO} ${HOME}/x\nUnDefine WHO\nB ${WHO} ${nothing}\n<S ${HOME}>\n</S>")
    assert plain(parser.tree) == [("A", "me /h/x"), ("B", "env ${nothing}"), ("S", "/h", [])]
    assert [sentence for _, sentence in parser.warnings] == ["${nothing} is neither defined nor in the environment"]


def test_include_takes_files_patterns_and_folders_in_order(tmp_path: Path) -> None:
    for name in ("b.conf", "a.conf", "sub/c.conf", "sub/deep/d.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"Seen {name}\n")
    parser = Parser(str(tmp_path))
    parser.read_text("t", "Include *.conf\nInclude sub\n<S>\nInclude a.conf\n</S>")
    assert plain(parser.tree) == [("Seen", "a.conf"), ("Seen", "b.conf"), ("Seen", "sub/c.conf"), ("Seen", "sub/deep/d.txt"),
                                  ("S", "", [("Seen", "a.conf")])]
    assert parser.tree[0].place.file == str(tmp_path / "a.conf")


def test_a_file_closes_its_own_sections_only(tmp_path: Path) -> None:
    (tmp_path / "closes.conf").write_text("</S>\n")
    (tmp_path / "opens.conf").write_text("<T>\n")
    parser = Parser(str(tmp_path))
    parser.read_text("t", "<S>\nInclude closes.conf\nInclude opens.conf\nA\n</S>")
    assert [str(e).removeprefix(str(tmp_path)) for e in parser.errors] == [
        "/closes.conf:1: </S>: no section is open here", "/opens.conf:1: <T>: </T> expected before the end of the file"]
    assert plain(parser.tree) == [("S", "", [("T", "", []), ("A", "")])]


def test_a_file_that_includes_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("A\nInclude b.conf\n")
    (tmp_path / "b.conf").write_text("B\nInclude a.conf\n")
    parser = Parser(str(tmp_path))
    parser.read_file(str(tmp_path / "a.conf"))
    assert [(e.file, e.line, e.directive) for e in parser.errors] == [(str(tmp_path / "b.conf"), 2, "Include")]


def test_nesting_is_bounded() -> None:
    assert not parse("<A>\n" * 100 + "</A>\n" * 100).errors
    for name in ("A", "IfDefine !X"):
        parser = parse(f"<{name}>\n" * 100_000)
        assert [str(each) for each in parser.errors] == [f"t:101: <{name.split()[0]}>: at most 100 sections within each other expected"]


def test_faults_and_warnings_are_bounded() -> None:
    assert len(parse("</A>\n" * 5000).errors) == 1000 and len(parse("</A>\n" * 5000, restricted=True).errors) == 20
    assert len(parse("A ${NONE}\n" * 5000).warnings) == 1000


def test_files_and_lines_are_bounded(tmp_path: Path) -> None:
    parser = parse("A " + "x" * ((1 << 20) - 2))
    assert not parser.errors and len(parser.tree) == 1
    assert [str(each) for each in parse("A " + "x" * (1 << 20) + "\nB").errors] == ["t:1: a line of at most 1048576 bytes expected"]
    for level in range(4):
        (tmp_path / f"{level}.cnf").write_text(f"Include {tmp_path}/{level + 1}.cnf\n" * 20)
    (tmp_path / "4.cnf").write_text("A 1\n")
    parser = parse(f"Include {tmp_path}/0.cnf")
    assert [str(each).split(":", 2)[2] for each in parser.errors] == [" Include: at most 10000 files expected"] and len(parser.files) == 10_000
    assert [str(each) for each in parse("Include /dev/zero").errors] == ["t:1: Include: a file of at most 67108864 bytes expected, not /dev/zero"]
    (tmp_path / ".htaccess").write_text("# " + "x" * ((1 << 20) - 3) + "\n")
    for more, errors in (("", 0), ("#", 1)):
        with (tmp_path / ".htaccess").open("a") as stream:
            stream.write(more)
        parser = Parser("/nowhere", restricted=True)
        parser.read_file(str(tmp_path / ".htaccess"))
        assert len(parser.errors) == errors


def test_variables_cannot_grow_for_ever() -> None:
    bomb = "Define A0 0123456789\n" + "".join(f"Define A{level + 1} {f'${{A{level}}}' * 10}\n" for level in range(20)) + "A ${A20}"
    parser = parse(bomb)
    assert len(parser.errors) == 1 and "a line of at most 1048576 bytes expected, with what stands for ${…} in it" in str(parser.errors[0])
    assert not parse("A " + "${" * 500_000).errors and not parse("A " + "${" * 400_000 + "}").errors


def test_server_root_moves_relative_includes(tmp_path: Path) -> None:
    (tmp_path / "x.conf").write_text("X\n")
    parser = parse(f'ServerRoot "{tmp_path}"\nInclude x.conf')
    assert plain(parser.tree)[1:] == [("X", "")]


def test_srvroot_is_server_root_unless_it_is_defined(tmp_path: Path) -> None:
    assert plain(parse("A ${SRVROOT}\nDefine SRVROOT x\nB ${SRVROOT}").tree) == [("A", "/nowhere"), ("B", "x")]


def test_bytes_that_are_not_utf8_survive(tmp_path: Path) -> None:
    (tmp_path / "l.conf").write_bytes(b"A caf\xe9\n")
    parser = Parser(str(tmp_path))
    parser.read_file(str(tmp_path / "l.conf"))
    assert parser.tree[0].args.encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_a_byte_order_mark_is_no_directive(tmp_path: Path) -> None:
    (tmp_path / "bom.conf").write_bytes(b"\xef\xbb\xbfA b\n")
    parser = Parser(str(tmp_path))
    parser.read_file(str(tmp_path / "bom.conf"))
    assert plain(parser.tree) == [("A", "b")]


def test_htaccess_may_not_include_or_define() -> None:
    parser = parse("Include x\nDefine a b\nLoadModule python_module x", restricted=True)
    assert [error.expected for error in parser.errors] == ["not allowed in .htaccess files"] * 3
