"""The first talk's example. pyhost apache-conf/gogreen/httpd.py [port [folder]]"""
import sys

import coro
from corohttpd import HttpFileHandler, HttpServer

port = int(sys.argv[1]) if len(sys.argv) > 1 else 7001
server = HttpServer(
    args=(('0.0.0.0', port), 'access.log'))
file_handler = HttpFileHandler(sys.argv[2] if len(sys.argv) > 2 else '/home/htdocs/')
server.push_handler(file_handler)
server.start()
coro.event_loop(30.0)
