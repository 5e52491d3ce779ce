"""`module::object.attr`: the object of a handler, found and where needed instantiated."""
from __future__ import annotations

from types import ModuleType
from typing import Any

__all__ = ["resolve_object"]


def resolve_object(module: ModuleType, obj_str: str, arg: Any = None, silent: int = 0) -> Any:
    """Return the object that a dotted name means in a module.

    Each attribute in turn; where the parent is a class it is instantiated with arg and the attribute is the instance's.
    silent: return None for a missing attribute. Raises AttributeError for a missing one otherwise, and what the classes raise.
    """
    found: Any = module
    make: Any
    for name in obj_str.split("."):
        make = found
        parent = make(arg) if isinstance(found, type) else found
        if not hasattr(parent, name):
            if silent:
                return None
            where = getattr(module, "__file__", None) or module.__name__
            raise AttributeError(f"module '{where}' contains no '{obj_str}'")
        found = getattr(parent, name)
    return found
