"""flup.server.scgi_single: the same server; how it runs is not flup's choice here."""
from .scgi import WSGIServer

__all__ = ["WSGIServer"]
