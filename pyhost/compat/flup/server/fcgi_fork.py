"""flup.server.fcgi_fork: the same server; how it runs is not flup's choice here."""
from .fcgi import WSGIServer

__all__ = ["WSGIServer"]
