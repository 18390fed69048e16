"""Prints traces as MLflow's own Python client reads them, one JSON object a line.

Trace ids come on standard input, one a line.
"""

from __future__ import annotations

import argparse
import json
import sys

import mlflow


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracking-uri", required=True)
    options = parser.parse_args()
    mlflow.set_tracking_uri(options.tracking_uri)
    for line in sys.stdin:
        trace = mlflow.get_trace(line.strip())
        print(json.dumps(trace.to_dict() if trace else None))


if __name__ == "__main__":
    main()
