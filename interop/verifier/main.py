"""main.py vectors [NAME...] | record FILE POLICY | log FOLDER-OR-URL POLICY"""

import sys

import record
import replay
import vectors
from plain import Refused

if __name__ == "__main__":
    command, rest = sys.argv[1], sys.argv[2:]
    try:
        if command == "vectors":
            good, bad = vectors.run(rest)
            sys.exit(int(bad > 0 or good == 0))
        sys.exit({"record": record.main, "log": replay.main}[command](*rest))
    except Refused as refused:
        print(f"refused: {refused}")
        sys.exit(1)
