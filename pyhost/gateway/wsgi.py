"""WSGI applications: how they are found is in loader, how they are called in C (csrc/pywsgi.c)."""
from __future__ import annotations

from .loader import load, load_object

__all__ = ["load", "load_object"]
