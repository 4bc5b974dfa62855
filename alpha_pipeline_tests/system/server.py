"""`alpha-pipeline ui` as a process on a free port, spoken to by GraphQL, and stopped as Ctrl-C stops it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READY_SECONDS = 90
RUN_SECONDS = 120
STOP_SECONDS = 75
REPOSITORY = {"repositoryLocationName": "alpha_pipeline", "repositoryName": "__repository__"}

ADD = """mutation($key: String!, $repository: RepositorySelector!) {
  addDynamicPartition(partitionKey: $key, partitionsDefName: "generation_run", repositorySelector: $repository) {
    __typename ... on PythonError { message } } }"""
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } } } }"""
RUN = """query($id: ID!) { runOrError(runId: $id) { ... on Run { status
    assetMaterializations { assetKey { path } metadataEntries { label
      ... on TextMetadataEntry { text } ... on PathMetadataEntry { path } ... on IntMetadataEntry { intValue } } }
    stepStats { stepKey status } } } }"""
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus
    locationOrLoadError { __typename ... on PythonError { message } } } } }
  assetNodes { assetKey { path } jobNames } }"""


class Server:
    """The web server of a home."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a GraphQL answer; any error in it is raised."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.address}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.load(answer)
        assert "errors" not in found, found
        data: dict[str, Any] = found["data"]
        return data

    def add_run(self, key: str) -> None:
        """Add a generation run as a partition."""
        answer = self.ask(ADD, key=key, repository=REPOSITORY)["addDynamicPartition"]
        assert answer["__typename"] == "AddDynamicPartitionSuccess", answer

    def launch(self, job: str, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """Launch a job; its run id."""
        parameters = {
            "selector": {**REPOSITORY, "jobName": job},
            "runConfigData": config,
            "mode": "default",
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        answer = self.ask(LAUNCH, params=parameters)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def finished(self, run_id: str) -> dict[str, Any]:
        """The run, once it is over."""
        until = time.monotonic() + RUN_SECONDS
        while time.monotonic() < until:
            run: dict[str, Any] = self.ask(RUN, id=run_id)["runOrError"]
            if run["status"] in ("SUCCESS", "FAILURE", "CANCELED"):
                return run
            time.sleep(0.5)
        raise TimeoutError(f"run {run_id} is {run['status']} after {RUN_SECONDS} s")


@contextmanager
def serving(home: Path, log: Path) -> Iterator[Server]:
    """`alpha-pipeline ui` on `home`; after the block it must end by one interrupt, and leave no process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "alpha_pipeline.cli", "ui", "--home", str(home), "--port", str(port)]
    # A process started in the background of a shell ignores SIGINT, and Dagster would then never stop.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with log.open("w") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
            )
    finally:
        signal.signal(signal.SIGINT, previous)
    try:
        server = Server(port)
        _await_ready(server, process, log)
        yield server
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS)
        until = time.monotonic() + STOP_SECONDS  # its code servers end after it, when they miss it
        while _group_lives(process.pid) and time.monotonic() < until:
            time.sleep(0.2)
        assert not _group_lives(process.pid), f"processes of the server were left behind; see {log}"
    finally:
        if _group_lives(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _group_lives(group: int) -> bool:
    """Whether any process of a group is left (one that has ended but was not waited for counts)."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _await_ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            server.ask("{ version }")
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.3)
    raise TimeoutError(f"not ready after {READY_SECONDS} s:\n{log.read_text()}")
