"""`pyhost script.py [arguments]`: the script is the Python program, and the C loop turns under it. What it waits for lets its coroutines run, and
servers that it starts (pyhost.script.serving, flup's and gogreen's names) are the C front end."""
from .program import configure, run

__all__ = ["configure", "run"]
