"""Applications by other interfaces than mod_python's: WSGI, ASGI, CGI."""
