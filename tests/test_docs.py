"""The manual: printed parts are up to date, links lead somewhere, and every command and configuration in it is checked by the program."""
from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyhost import manual
from pyhost.config.directives import TABLE
from pyhost.ctl.command import parse
from pyhost.ctl.serve import parse as parse_serve
from support.client import Client
from support.server import Server, wait_until

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "apache-conf" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CSRC = ROOT / "csrc"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, text in enumerate(re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL), 1):
            yield f"{page.name}-{number}", text


def shell_lines() -> list[str]:
    return [line for _, text in blocks("sh") for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]


def named(cases: Iterator[tuple[str, str]]) -> list[object]:
    return [pytest.param(text, id=name) for name, text in cases]


# --- what is printed

@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_printed_parts_are_up_to_date(page: Path) -> None:
    assert manual.fill(page.read_text()) == page.read_text(), "run: make docs"


def test_printed_parts_stand_somewhere() -> None:
    text = "".join(page.read_text() for page in PAGES)
    assert sorted(re.findall(r"<!-- printed: ([\w-]+) -->", text)) == sorted(manual.PARTS)
    assert text.count("<!-- printed: ") == text.count("<!-- printed end -->")


def test_every_directive_with_a_bound_is_among_the_limits() -> None:
    about_time_or_size = {row.name for row in TABLE.values() if row.unit}
    assert about_time_or_size - {"MaxRequestsPerChild"} == set(manual.BOUNDS)


def test_log_words_of_limits_are_those_of_the_program() -> None:
    source = "".join(path.read_text() for path in CSRC.glob("*.c"))
    for directive, (_, words) in manual.BOUNDS.items():
        assert words in source, directive


def test_every_fault_is_printed() -> None:
    count = len(re.findall(r"\[FAULT_\w+\] = \{", (CSRC / "http_fault.c").read_text()))
    assert manual.faults().count("\n| ") == count  # the line of heads and dashes, without FAULT_NONE and the first line


def test_every_bound_of_the_headers_is_printed_with_a_meaning() -> None:
    rows = list(manual.constants())
    assert len(rows) >= 20 and all(comment and value.isdigit() for _, value, comment in rows), rows


def test_green_calls_are_those_that_the_program_tells(run: Run) -> None:
    told = re.search(r"Green calls: +(.*)", run("-V").stdout)
    assert told and manual.green_calls().replace("`", "").split() == told[1].split()


def test_every_public_name_of_coro_is_in_the_manual() -> None:
    tree = ast.parse((ROOT / "pyhost" / "coro" / "__init__.py").read_text())
    names = next(ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
    page = manual.coro()
    aliases = {"coroutine_cond", "coroutine_lock", "coroutine_fifo", "new"}
    assert [name for name in names if name not in aliases and not re.search(rf"^### (class )?`{name}\b", page, re.MULTILINE)] == []


# --- what is written by hand

@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http:", "https:")):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        heads = [re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
                 ] if anchor else []
        assert not anchor or anchor in heads, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    for name in re.findall(r"`((?:csrc|pyhost|tests|docs|apache-conf)/[\w./*-]*)`", page.read_text()):
        assert list(ROOT.glob(name.rstrip("/"))), name


@pytest.mark.parametrize("page", [ROOT / "docs" / "README.md"], ids=["index"])
def test_the_index_has_every_page(page: Path) -> None:
    text = page.read_text()
    assert [each.name for each in (ROOT / "docs").glob("*.md") if each != page and f"({each.name})" not in text] == []


def rows_of(page: str, head: str) -> list[str]:
    """First cells of the table with that head."""
    text = (ROOT / "docs" / page).read_text().partition(head + "\n")[2].partition("\n\n")[0]
    return [line.split(" | ")[0].lstrip("| ") for line in text.splitlines()[1:]]


def test_every_signal_of_the_master_is_in_the_manual() -> None:
    handled = re.search(r"handled\[\] = \{(.*?)\}", (CSRC / "master.c").read_text())
    assert handled
    told = {word for cell in rows_of("operation.md", "| signal | what it does |") for word in cell.split(", ")}
    assert told == {name.removeprefix("SIG") for name in handled[1].split(", ")} - {"CHLD", "IO"}  # between it and its children


def test_every_exit_code_is_in_the_manual() -> None:
    source = "".join(path.read_text() for path in CSRC.glob("*.c"))
    codes = {int(code) for code in re.findall(r"\b(?:EXIT_[A-Z_]+|CHILD_CAME_BACK) = (\d+)", source)} | {0, 120}
    assert {int(cell) for cell in rows_of("operation.md", "| code | of | meaning |")} == codes


def test_every_item_of_log_formats_is_in_the_manual() -> None:
    source = (CSRC / "log_items.c").read_text() + (CSRC / "log_items_net.c").read_text()
    letters = set(re.findall(r"case '(\w)'|letter == '(\w)'", source))
    told = set(re.findall(r"%>?(?:\{\w+\})?(\w|%)", " ".join(rows_of("operation.md", "| item | what it writes |"))))
    assert told - {"%"} == {one or other for one, other in letters}


def test_items_of_log_formats_are_understood(server: Callable[..., Server]) -> None:
    items = re.findall(r"`(%[^`]+)`", " ".join(rows_of("operation.md", "| item | what it writes |"))) + ["%400,501{User-Agent}i", "%!200r"]
    assert len(items) > 40
    host = server(f'LogFormat "{" ".join(items)}" all\nCustomLog @ROOT@/all.log all\n', {"www/a.txt": "a"})
    assert host.get("/a.txt").body == b"a"
    wait_until(lambda: " 200 " in (host.root / "all.log").read_text(), "the line")


def test_the_life_of_a_request_names_files_that_exist() -> None:
    text = (ROOT / "README.md").read_text().partition("## The life of a request")[2].partition("\n\n*")[0]
    names = re.findall(r"[a-z]+(?:_[a-z]+)?", re.sub(r"\(.*?\)", "", text))
    assert len(names) > 12
    assert [name for name in names if name != "client" and not (CSRC / f"{name}.c").exists()] == []


@pytest.mark.parametrize("text", named(blocks("apache")))
def test_configurations_are_good(text: str, run: Run, tmp_path: Path) -> None:
    for folder in set(re.findall(r"(?<=\s)/srv/[\w./-]+", text)):
        text = text.replace(folder, f"{tmp_path}{folder}")
    listen = "" if re.search(r"^\s*Listen ", text, re.MULTILINE) else "Listen 127.0.0.1:8099\n"
    (tmp_path / "t.conf").write_text(listen + text)
    done = run("-t", "-f", "t.conf")
    assert done.returncode == 0 and "Syntax OK" in done.stderr, done.stderr


@pytest.mark.parametrize("text", named(blocks("python")))
def test_python_compiles(text: str) -> None:
    compile(text, "example", "exec")


def test_examples_of_the_page_on_handlers_work(server: Callable[..., Server]) -> None:
    python, conf = dict(blocks("python")), dict(blocks("apache"))
    text = "".join(conf[f"handlers.md-{number}"] for number in (1, 4)) + conf["handlers.md-5"].replace("Listen 127.0.0.1:8099\n", "")
    text = text.replace("/srv/app", "@ROOT@/app").replace("8098", "@PORT2@")
    host = server("Listen 127.0.0.1:@PORT@\n" + text, {
        "app/hello.py": python["handlers.md-1"], "app/filters.py": python["handlers.md-2"], "app/echo.py": python["handlers.md-3"], "www/loud/a.txt": "abc"})
    answer = host.get("/hello")
    assert (answer.text, answer.header("Cache-Control"), answer.header("Content-Type")) == ("Hello World!\n", "no-store", "text/plain")
    assert host.get("/loud/a.txt").body == b"ABC"
    with Client(("127.0.0.1", host.ports["PORT2"])) as client:
        client.send(b"one\ntwo\n")
        assert client.read_exactly(8) == b"one\ntwo\n"


@pytest.mark.parametrize("line", shell_lines())
def test_commands_are_what_they_should_be(line: str, binary: Path, base_env: dict[str, str]) -> None:
    """Those of the program that only look are run, the others have options that it knows; make has the target."""
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in words[1:] if "=" not in word} <= set(targets)
    elif words[:2] == ["pyhost", "serve"]:
        assert parse_serve(words[2:]).target
    elif words[0] == "pyhost":
        options = parse(words[1:])
        needs_file = {"t", "S"} & set(options.shows)
        if options.shows and (not needs_file or (options.file and (ROOT / options.file).exists())):
            done = subprocess.run([str(binary), *words[1:]], check=False, capture_output=True, text=True, env=base_env, cwd=ROOT, timeout=30)
            assert done.returncode == 0, done.stderr
    else:
        assert words[0] in {"kill", "curl", "mv", "systemctl", "pip", "git", "cd", "apt-get"}, line


def test_the_example_of_the_page_on_coroutines_works(server: Callable[..., Server]) -> None:
    code = dict(blocks("python"))["coroutines.md-1"]
    host = server("""
        PythonPath "['@ROOT@/app'] + sys.path"
        <Location /both>
            SetHandler mod_python
            PythonHandler both
        </Location>""", {"www/a.txt": "one "})
    code = re.sub(r"http://127\.0\.0\.1:900\d/", f"http://127.0.0.1:{host.ports['PORT']}/a.txt", code)
    (host.root / "app").mkdir()
    (host.root / "app" / "both.py").write_text(code)
    host.check_fds = False  # modules are watched from the first one on
    assert host.get("/both").text == "one one "


def spans() -> set[str]:
    """Pieces of code within the text; differences.md has names of cases, limits.md words of log lines."""
    pages = [page.read_text() for page in PAGES if page.name not in ("differences.md", "limits.md", "directives.md", "mod_python_api.md")]
    return {span for page in pages for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL))}


def test_directives_within_the_text_are_good(run: Run, tmp_path: Path) -> None:
    lines = ["Listen 127.0.0.1:8099"]
    for span in sorted(spans()):
        name, _, args = span.partition(" ")
        if args and name.lower() in TABLE:
            lines += [span] if set("SV") & set(TABLE[name.lower()].contexts) else ["<Location /x>", span, "</Location>"]
    assert len(lines) > 20
    (tmp_path / "t.conf").write_text("\n".join(lines) + "\n")
    done = run("-t", "-f", "t.conf")
    assert done.returncode == 0, done.stderr


def test_names_of_directives_within_the_text_exist() -> None:
    assert [span for span in sorted(spans()) if re.fullmatch(r"Py(thon)?[A-Z]\w+", span) and span.lower() not in TABLE] == []
