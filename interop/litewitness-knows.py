"""litewitness-knows.py DB: configures logs for litewitness, one verifier key a line of standard input.

Its own witnessctl, which cannot be built, would write these rows; litewitness reads them while it runs too.
"""

import base64
import hashlib
import sqlite3
import sys

EMPTY = base64.b64encode(hashlib.sha256().digest()).decode()

db = sqlite3.connect(sys.argv[1])
# As litewitness itself makes them, so that this may run before its first start.
db.execute(
    "CREATE TABLE IF NOT EXISTS log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL)"
)
db.execute(
    "CREATE TABLE IF NOT EXISTS key (origin TEXT NOT NULL, key TEXT NOT NULL,"
    " FOREIGN KEY(origin) REFERENCES log(origin))"
)
for line in sys.stdin:
    vkey = line.strip()
    origin = vkey.split("+")[0]
    db.execute("INSERT INTO log VALUES (?, 0, ?)", (origin, EMPTY))
    db.execute("INSERT INTO key VALUES (?, ?)", (origin, vkey))
db.commit()
