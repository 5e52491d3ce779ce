"""Static files of a Django project, for the configuration that `pyhost serve` prints: Django's own server shows them, so they are expected.

With DEBUG they lie where its staticfiles finders look; without, in STATIC_ROOT once `collectstatic` has put them there. Looked at in the process of
pyhost.ctl.look, which has imported the project.
"""
from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["django_aliases", "merged"]

Alias = tuple[str, str]  # path of the URL, folder or file


def entries(folder: str) -> list[str]:
    """Names that are shown, and that a line of a configuration can hold."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith(".") and not any(part in name for part in ("\n", "\r", "${")))
    except OSError:
        return []


def merged(url: str, folders: Sequence[str]) -> Iterator[Alias]:
    """Yield aliases, the longer ones first, so that url shows what is in any of the folders; where several have a name, that of the first counts.

    url: begins and ends with a slash.
    """
    names = {name for folder in folders[1:] for name in entries(folder)}
    for name in sorted(names):
        having = [path for folder in folders if os.path.exists(path := os.path.join(folder, name))]
        if not having:  # a link to nothing
            continue
        shared = [path for path in having if os.path.isdir(path)] if os.path.isdir(having[0]) else []
        if len(shared) > 1:
            yield from merged(f"{url}{name}/", shared)
        elif os.path.dirname(having[0]) != folders[0]:
            yield f"{url}{name}{'/' if shared else ''}", having[0]
    yield url, folders[0]


def found_folders() -> Iterator[str]:
    """Where the finders look, in their order: folders without a prefix of their own, in the file system."""
    finders: Any = importlib.import_module("django.contrib.staticfiles.finders")
    for finder in finders.get_finders():
        for storage in getattr(finder, "storages", {}).values():
            location: Any = getattr(storage, "location", None)
            if isinstance(location, str) and os.path.isdir(location) and not getattr(storage, "prefix", None):
                yield location.rstrip("/")


def django_aliases() -> list[Alias]:
    """The aliases of the Django project that this process has set up; none where there is no such, or where whitenoise or another server shows them."""
    if "django.contrib.staticfiles" not in sys.modules:
        return []
    if not importlib.import_module("django.apps").apps.ready:  # before, there may be no settings to ask
        return []
    settings: Any = importlib.import_module("django.conf").settings
    url = settings.STATIC_URL
    if not isinstance(url, str) or not url.startswith("/") or url.startswith("//") or not url.strip("/"):
        return []
    if any("whitenoise" in str(each).lower() for each in settings.MIDDLEWARE):
        return []
    if settings.DEBUG:
        folders = list(dict.fromkeys(found_folders()))
    else:
        folders = [os.path.abspath(str(settings.STATIC_ROOT))] if settings.STATIC_ROOT and os.path.isdir(str(settings.STATIC_ROOT)) else []
    return list(merged(url.rstrip("/") + "/", folders)) if folders else []
