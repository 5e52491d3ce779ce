"""The index page: what is here, and what to try next."""
import html
import os

from mod_python import apache

PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>pyhost</title><link rel="stylesheet" href="/static/style.css"></head>
<body>
<h1>It works</h1>
<p>This page is made by <code>{here}</code>, in a greenlet, in a process that speaks HTTP in C.</p>
<h2>What is here</h2>
<ul>
{modules}
<li><a href="/static/">/static/</a> – files, served without Python</li>
</ul>
<h2>What to try next</h2>
<ol>
<li>Save this as <code>{folder}/hello.py</code>, then open <a href="/hello">/hello</a>. Nothing has to be restarted.
<pre>from mod_python import apache

def handler(req):
    req.content_type = "text/plain"
    req.write("Hello World!\\n")
    return apache.OK</pre></li>
<li>Change the text in it and reload the page. Then break it on purpose: the traceback is in the browser and in the error log, and
everything else goes on.</li>
<li>Open <a href="/wait?seconds=1">/wait?seconds=1</a>, or a thousand of them at once: a handler that waits holds nobody up.</li>
<li>See what the server made of its configuration: <code>pyhost -f apache-conf/quickstart.conf -S</code>, all directives:
<code>pyhost -L</code>.</li>
<li>Go on with the other files of <code>apache-conf/</code>: each is one step, with its explanation in it.</li>
</ol>
</body>
</html>
"""


def first_line(path):
    """The first line of a module's docstring."""
    with open(path, encoding="utf-8", errors="replace") as source:
        return source.readline().strip().strip('"')


def handler(req):
    folder = os.path.dirname(__file__)
    names = sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".py") and name[0] not in "._" and name != "index.py")
    items = [f'<li><a href="/{html.escape(name)}">/{html.escape(name)}</a> – {html.escape(first_line(f"{folder}/{name}.py"))}</li>' for name in names]
    req.content_type = "text/html; charset=utf-8"
    req.write(PAGE.format(here=html.escape(__file__), folder=html.escape(folder), modules="\n".join(items)))
    return apache.OK
