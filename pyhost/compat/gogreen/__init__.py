"""gogreen's names for scripts: coro, corohttpd, wsgi, backdoor. The server under corohttpd is the C front end."""
