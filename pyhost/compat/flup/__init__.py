"""flup's servers: `from flup.server.fcgi import WSGIServer`."""
