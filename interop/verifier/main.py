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
            sys.exit(int(vectors.run(rest)[1] > 0))
        sys.exit({"record": record.main, "log": replay.main}[command](*rest))
    except Refused as refused:
        print(f"refused: {refused}")
        sys.exit(1)
