"""The command line: what the program does before (and instead of) serving. C's main() calls `main`."""
from .command import SERVE, main

__all__ = ["SERVE", "main"]
