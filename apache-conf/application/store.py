"""Where the notes are kept: an SQLite file and a folder of pictures. Found by index.py as its neighbour; edit it and it is loaded again."""
import os
import secrets
import shutil
import sqlite3
from contextlib import closing

__access__ = False  # publisher publishes every module of its directory: this one is for index.py only

KINDS = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}


def connect(folder):
    os.makedirs(folder, 0o700, exist_ok=True)
    database = sqlite3.connect(os.path.join(folder, "notes.sqlite"), isolation_level=None)
    database.execute("CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, author TEXT, text TEXT, picture TEXT, kind TEXT)")
    return closing(database)


def add(folder, author, text, upload):
    """Keep a note, and its picture under a name of our own: the client's file name is never a path."""
    name = kind = None
    if upload is not None and upload.filename and upload.type in KINDS:
        name, kind = secrets.token_hex(8) + KINDS[upload.type], upload.type
        with open(os.path.join(folder, name), "wb") as file:
            shutil.copyfileobj(upload.file, file)
    with connect(folder) as database:
        database.execute("INSERT INTO note (author, text, picture, kind) VALUES (?, ?, ?, ?)", (author, text, name, kind))


def notes(folder):
    with connect(folder) as database:
        return database.execute("SELECT id, author, text, picture FROM note ORDER BY id DESC LIMIT 100").fetchall()


def picture(folder, number):
    """The path and the type of a note's picture, or None."""
    with connect(folder) as database:
        found = database.execute("SELECT picture, kind FROM note WHERE id = ? AND picture IS NOT NULL", (number,)).fetchone()
    return found and (os.path.join(folder, found[0]), found[1])
