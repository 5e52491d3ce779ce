"""Pieces of configuration that several tests start with."""
from __future__ import annotations

__all__ = ["APP"]

APP = """
<Location /app>
    SetHandler mod_python
    PythonPath "['@ROOT@/www'] + sys.path"
    PythonHandler app
</Location>
PyWSGIAlias /wsgi @ROOT@/www/app.py:application
"""  # www/app.py: a handler and a WSGI application
