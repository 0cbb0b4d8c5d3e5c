#!/usr/bin/env python3
"""Checks the output of `drawerbridge journal export` by the documented formula, and by nothing of drawerbridge.

    drawerbridge journal export | python3 verify_export.py [HEAD]

HEAD, noted earlier, must be in it: whole, or as a slip shows it. Exit code 0: every row fits; 1: one does not.
"""
import hashlib
import json
import sys


def hash_of(row):
    parts = [bytes.fromhex(row["prev"]), row["seq"].to_bytes(8, "big")]
    for name in ("at", "till", "opening", "name", "body"):
        text = (row[name] or "").encode()
        parts += [len(text).to_bytes(8, "big"), text]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def check(lines, wanted):
    head, last, rows, found = "0" * 64, 0, 0, not wanted
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            seq, prev, own, due = row["seq"], row["prev"], row["hash"], hash_of(row)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as why:
            return f"line {number} is no row of an export: {why!r}"
        if prev != head:
            return f"row {seq} does not continue the row before it: one was edited, removed or moved"
        if own != due or seq <= last:
            return f"row {seq} was edited: its content does not fit its hash"
        head, last, rows = own, seq, rows + 1
        found = found or own.startswith(wanted)
    if not found:
        return f"no row of {rows} has the head {wanted}: rows were cut off at the end, or it is of another journal"
    print(f"{rows} rows fit, up to row {last}; head {head}")
    return 0


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8")
    sys.exit(check(sys.stdin, "".join(sys.argv[1:]).replace("-", "").lower()))
