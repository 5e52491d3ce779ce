"""mod_python.httpdconf: httpd configuration written as Python objects; `str()` of one is its text.

    Container(VirtualHost("*:80", ServerName("a.example"), Directory("/srv/a", PythonHandler("app | .py"))))

Plain Python, needs no server. pyhost reads what it writes.
"""
from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import Any

__all__ = ["Comment", "Container", "ContainerTag", "Directive", "quote_if_space", "write_basic_config"]


class Directive:
    """One directive: name and arguments as they stand in the file. flipslash: write backslashes as slashes."""

    def __init__(self, name: str, val: Any, flipslash: int = 1) -> None:
        self.name, self.val, self.flipslash = name, val, flipslash
        self.indent = 0

    def __repr__(self) -> str:
        arguments = f"{self.val!r}" if self.flipslash else f"{self.val!r}, flipslash=0"
        return f"{self.name}({arguments})"

    def __str__(self) -> str:
        text = f"{self.name} {self.val}"
        return " " * self.indent + (text.replace("\\", "/") if self.flipslash else text) + "\n"


class Container:
    """Several directives, one below the other. only_if: a Python expression; the container is empty where it is false."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args: list[Any] = list(args)
        self.only_if: str | None = kwargs.get("only_if")
        self.indent = 0

    def append(self, value: Any) -> None:
        """Add one."""
        self.args.append(value)

    def __repr__(self) -> str:
        words = [repr(one) for one in self.args]
        if self.only_if is not None:
            words.append(f"only_if={self.only_if!r}")
        return f"Container({', '.join(words)})"

    def __str__(self) -> str:
        if self.only_if is not None and not eval(self.only_if):
            return ""
        return "".join(_indented(one, self.indent) for one in self.args)


class ContainerTag:
    """A section: `<tag attr>` around directives."""

    def __init__(self, tag: str, attr: Any, args: Sequence[Any], flipslash: int = 1) -> None:
        self.tag, self.attr, self.args, self.flipslash = tag, attr, list(args), flipslash
        self.indent = 0

    def append(self, value: Any) -> None:
        """Add one."""
        self.args.append(value)

    def __repr__(self) -> str:
        return f"{self.tag}({', '.join([repr(self.attr), *map(repr, self.args)])})"

    def __str__(self) -> str:
        attr = str(self.attr).replace("\\", "/") if self.flipslash else str(self.attr)
        space = " " * self.indent
        inner = "".join(_indented(one, self.indent + 4) for one in self.args)
        return f"{space}<{self.tag} {attr}>\n{inner}{space}</{self.tag}>\n"


class Comment:
    """A comment of one or more lines."""

    def __init__(self, comment: str) -> None:
        self.comment = comment
        self.indent = 0

    def __repr__(self) -> str:
        return f"Comment({self.comment!r})"

    def __str__(self) -> str:
        space = " " * self.indent
        return "".join(f"{space}# {line}\n" for line in self.comment.splitlines())


def _indented(one: Any, indent: int) -> str:
    if hasattr(one, "indent"):
        one.indent = indent
    return str(one)


def quote_if_space(s: str) -> str:
    """Return s in quotes when it has a space."""
    return f'"{s}"' if " " in s else s


_DIRECTIVES = ["AddHandler", "AddOutputFilter", "AddType", "AuthBasicAuthoritative", "AuthBasicProvider", "AuthType", "AuthName", "CustomLog", "DirectoryIndex", "DocumentRoot", "ErrorLog", "KeepAliveTimeout", "Listen", "LoadModule", "LogLevel", "LogFormat", "LockFile", "MaxConnectionsPerChild", "MaxClients", "MaxRequestsPerChild", "MaxSpareServers", "MaxSpareThreads", "MaxThreadsPerChild", "MinSpareThreads", "Mutex", "NameVirtualHost", "NumServers", "Options", "PidFile", "PythonAuthenHandler", "PythonAuthzHandler", "PythonCleanupHandler", "PythonConnectionHandler", "PythonDebug", "PythonHandler", "PythonAccessHandler", "PythonPostReadRequestHandler", "PythonTransHandler", "PythonFixupHandler", "PythonImport", "PythonPath", "PythonOutputFilter", "PythonOption", "Require", "SetHandler", "ServerAdmin", "ServerName", "ServerPath", "ServerRoot", "StartServers", "StartThreads", "ThreadsPerChild", "Timeout", "TypesConfig", "PythonInterpPerDirectory", "PythonInterpPerDirective"]
_VERBATIM = frozenset({"CustomLog", "LogFormat", "PythonPath"})  # their backslashes mean something
_PATHS = frozenset({"DocumentRoot", "ErrorLog", "LockFile", "PidFile", "ServerRoot", "TypesConfig"})
_SECTIONS = ("Directory", "Files", "IfModule", "Location", "VirtualHost")


def _directive(name: str) -> type[Directive]:
    flipslash = int(name not in _VERBATIM)

    def set_up(self: Directive, val: Any, flipslash: int = flipslash) -> None:
        Directive.__init__(self, name, quote_if_space(val) if name in _PATHS else val, flipslash)

    def set_up_flag(self: Directive, val: Any = "Off") -> None:
        Directive.__init__(self, name, val)

    init = set_up_flag if name.startswith("PythonInterpPer") else set_up
    return type(name, (Directive,), {"__init__": init, "__doc__": f"The directive {name}.", "__module__": __name__})


def _section(name: str) -> type[ContainerTag]:
    def set_up(self: ContainerTag, attr: Any, *args: Any) -> None:
        ContainerTag.__init__(self, name, attr, args, flipslash=int(name != "Location"))

    return type(name, (ContainerTag,), {"__init__": set_up, "__doc__": f"The section <{name}>.", "__module__": __name__})


globals().update({name: _directive(name) for name in _DIRECTIVES} | {name: _section(name) for name in _SECTIONS})
__all__ += [*_DIRECTIVES, *_SECTIONS]


def write_basic_config(server_root: str, listen: str = "0.0.0.0:8888", conf: str = "conf", logs: str = "logs",
                       htdocs: str = "public", pythonhandler: str = "mod_python.publisher", pythonpath: Sequence[str] = (),
                       pythonoptions: Sequence[str] = (), mp_comments: Sequence[str] = (), conf_name: str = "httpd_conf.py",
                       createdirs: bool = True, replace_config: bool = False) -> str | None:
    """Write a configuration file `SERVER_ROOT/conf/NAME.conf` for one handler, and the folders it names.

    server_root: absolute. conf, logs, htdocs: folders below it. conf_name: name of the file; `.py` is left off. createdirs: make the
    folders. replace_config: write over a file that is there.
    Returns the file's path, or None where it was there and stays. Raises OSError.
    """
    folders = [os.path.join(server_root, one) for one in (conf, logs, htdocs)]
    if createdirs:
        for folder in folders:
            os.makedirs(folder, exist_ok=True)
    path = os.path.join(folders[0], conf_name.removesuffix(".py").removesuffix("_conf") + ".conf")
    if os.path.exists(path) and not replace_config:
        return None
    make = globals()
    python = [*map(Comment, mp_comments), make["PythonHandler"](pythonhandler), *(make["PythonOption"](one) for one in pythonoptions)]
    if pythonpath:
        python.append(make["PythonPath"](f'"{list(pythonpath)!r} + sys.path"'))
    text = str(Container(
        Comment(f"Written by mod_python.httpdconf for {pythonhandler}."),
        make["ServerRoot"](server_root), make["Listen"](listen), make["ServerName"]("localhost"),
        make["PidFile"](os.path.join(folders[1], "httpd.pid")), make["ErrorLog"](os.path.join(folders[1], "error_log")),
        make["DocumentRoot"](folders[2]),
        make["Directory"](folders[2], make["Require"]("all granted"), make["SetHandler"]("mod_python"), *python),
    ))
    beside = path + ".new"
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
    shutil.move(beside, path)
    return path
