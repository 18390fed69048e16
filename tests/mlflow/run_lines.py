"""Runs lines that `mlt instrument` printed, each followed by what they are to trace, on a stand-in for the vendors.

Takes pairs of a framework's name and a file with its lines; all run in this process, one after the other.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import make_clients
import mlflow
import model_server

PROGRAMS = {
    "openai": make_clients.openai_plain,
    "anthropic": make_clients.anthropic_plain,
    "gemini": make_clients.gemini_plain,
    "langchain": make_clients.langchain_chain,
    "langgraph": make_clients.langgraph_agent,
}


def main():
    server = model_server.Server(("127.0.0.1", 0), make_clients.Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, path in zip(sys.argv[1::2], sys.argv[2::2]):
        exec(compile(Path(path).read_text(), path, "exec"), {"__name__": "__main__"})
        if name in PROGRAMS:
            PROGRAMS[name](f"http://127.0.0.1:{server.server_port}")
        for vendor in (mlflow.openai, mlflow.anthropic, mlflow.gemini, mlflow.langchain):
            vendor.autolog(disable=True)


if __name__ == "__main__":
    main()
