"""A stand-in for W&B's server on 127.0.0.1, which stores what the real client and wandb-core send.

It knows runs with their history and files, and acknowledges artifacts. It refuses the names that
W&B refuses, and what the key does not allow. It can refuse other requests, leave them unanswered,
or close connections at once.
"""

import base64
import gzip
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

KEY = "0123456789abcdef" * 2 + "01234567"  # 40 characters, like W&B's keys
ENTITY = "somebody"  # the owner of the key
PROJECT = "resnet-degradation"  # the default of conf/tracking


class Refused(Exception):
    """A request that the server refuses, with its HTTP status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class StoredRun:
    """What the server stores of one run. `lines`: the history, one JSON text per line number."""

    display_name: str | None = None
    group: str | None = None
    job_type: str | None = None
    tags: list[str] = field(default_factory=list)
    config: str = "{}"
    state: str = "running"
    lines: Mapping[int, str] = field(default_factory=dict)
    summary: str = "{}"
    files: dict[str, bytes] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the history in their order."""
        return [json.loads(self.lines[number]) for number in sorted(self.lines)]

    def last_step(self) -> int:
        return json.loads(self.lines[max(self.lines)])["_step"] if self.lines else -1


def finished_run(
    name: str, group: str, metadata: dict[str, Any], lines: Mapping[int, str]
) -> StoredRun:
    """Return a run as the mirror of a finished training leaves it. `lines`: see `format_row`."""
    config = json.dumps({key: {"value": value} for key, value in metadata.items()})
    return StoredRun(name, group, "train", [], config, "finished", lines)


def format_row(row: dict[str, Any]) -> str:
    """Return the line of the history that a row becomes; values of None are absent."""
    present = {key: value for key, value in row.items() if value is not None}
    return json.dumps({**present, "_step": row["iteration"]})


class StandIn(ThreadingHTTPServer):
    """A fake W&B server.

    Attributes:
        runs: by entity, project and W&B id.
        requests: the GraphQL operations and the other paths that were requested.
        bodies: the bodies of all requests.
        refuse: the HTTP status of refused requests, or None if none is refused.
        refusing: a pattern of the operations and paths that are refused, or empty text for all.
        foreign: entities whose projects the key must not change.
        is_read_only: whether the key may change nothing.
        silent: while set, requests are accepted but not answered.
        absent: while set, connections are closed at once.
        max_page: the largest number of runs per page, or None for as many as are requested.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runs: dict[tuple[str, str, str], StoredRun] = {}
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        self.refuse: int | None = None
        self.refusing = ""
        self.foreign: set[str] = set()
        self.is_read_only = False
        self.silent, self.absent = threading.Event(), threading.Event()
        self.key = KEY
        self.max_page: int | None = None
        self.guard = threading.RLock()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def run(self, run_id: str, project: str = PROJECT, entity: str = ENTITY) -> StoredRun:
        return self.runs[entity, project, run_id]

    def sent(self) -> list[str]:
        """Return the requests that change something."""
        reading = re.compile(
            r"^(Viewer|GetViewer|ServerFeaturesQuery|Run\w*|GetDefaultEntity|HistoryPage)$"
        )
        return [request for request in self.requests if not reading.match(request)]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return not self.absent.is_set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: the tests kill clients in the middle of a request."""


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Run the server in a thread."""
    server = StandIn()
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"
    # Otherwise the body waits until the client has acknowledged the headers.
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def _read_body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _answer(self, status: int, content: Any = None) -> None:
        body = json.dumps(content if content is not None else {}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _serve(self) -> None:
        server, path, body = self.server, unquote(self.path), self._read_body()
        if server.absent.is_set():
            self.close_connection = True
            return
        request = json.loads(body) if path == "/graphql" else {}
        match = re.search(r"(?:query|mutation)\s+(\w+)", request.get("query", ""))
        name = match[1] if match else path
        with server.guard:
            server.requests.append(name)
            server.bodies.append(body)
        if server.silent.is_set():
            server.closing.wait()
            return
        if server.refuse is not None and re.search(server.refusing, name):
            self._answer(
                server.refuse, {"errors": [{"message": "the stand-in refuses"}], "error": "refused"}
            )
            return
        expected = "Basic " + base64.b64encode(f"api:{server.key}".encode()).decode()
        if not path.startswith("/storage/") and self.headers.get("Authorization") != expected:
            self._answer(401, {"errors": [{"message": "user is not logged in"}]})
            return
        with server.guard:
            if path == "/graphql":
                try:
                    status, answer = 200, self._answer_query(name, request.get("variables") or {})
                except Refused as refusal:
                    status, answer = refusal.status, {"errors": [{"message": str(refusal)}]}
                self._answer(status, answer)
            elif path.startswith("/files/"):
                self._receive_file_stream(path, json.loads(body))
            else:
                self._store_file(path, body)

    def _receive_file_stream(self, path: str, sent: dict[str, Any]) -> None:
        _, _, entity, project, run_id, *_ = path.split("/")
        run = self.server.runs[entity, project, run_id]
        history = (sent.get("files") or {}).get("wandb-history.jsonl")
        if history:
            run.lines = {**run.lines, **dict(enumerate(history["content"], history["offset"]))}
        summary = (sent.get("files") or {}).get("wandb-summary.json")
        if summary:
            run.summary = summary["content"][-1]
        if sent.get("complete"):
            run.state = "failed" if sent.get("exitcode") else "finished"
        self._answer(200, {"exitcode": None, "limits": {}})

    def _store_file(self, path: str, body: bytes) -> None:
        if path.startswith("/storage/run/"):
            entity, project, run_id, name = path.removeprefix("/storage/run/").split("/", 3)
            self.server.runs[entity, project, run_id].files[name] = body
        self._answer(200)

    def _answer_query(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Answer a GraphQL operation; `_on_run_files` handles `RunFiles`."""
        snake_case = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        handler = getattr(self, f"_on_{snake_case}", None)
        if handler is None:
            return {"errors": [{"message": f"{name} is unknown to the stand-in"}]}
        return {"data": handler(variables)}

    def _on_viewer(self, _: dict[str, Any]) -> dict[str, Any]:
        return {
            "viewer": {
                "id": "1",
                "entity": ENTITY,
                "username": ENTITY,
                "flags": "{}",
                "teams": {"edges": []},
            }
        }

    def _on_server_features_query(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def _on_run_resume_status(self, variables: dict[str, Any]) -> dict[str, Any]:
        entity = variables.get("entity") or ENTITY
        run = self.server.runs.get((entity, variables["project"], variables["name"]))
        project = {"id": "p", "name": variables["project"], "entity": {"id": "e", "name": entity}}
        if run is None:
            return {"model": {**project, "bucket": None}}
        tail = [run.lines[number] for number in sorted(run.lines)][-1:]
        bucket = {
            "id": variables["name"],
            "name": variables["name"],
            "displayName": run.display_name,
            "summaryMetrics": run.summary,
            "historyLineCount": len(run.lines),
            "logLineCount": 0,
            "eventsLineCount": 0,
            "historyTail": json.dumps(tail),
            "eventsTail": "[]",
            "config": run.config,
            "tags": run.tags,
            # Without it, wandb-core treats the run as one that never started.
            "wandbConfig": json.dumps({"t": 1}),
        }
        return {"model": {**project, "bucket": bucket}}

    def _on_upsert_bucket(self, variables: dict[str, Any]) -> dict[str, Any]:
        entity = variables.get("entity") or ENTITY
        project, name = variables["project"], variables["name"]
        if entity in self.server.foreign or self.server.is_read_only:
            raise Refused(403, "permission denied")
        _check_names(entity, project, name, variables)
        inserted = (entity, project, name) not in self.server.runs
        run = self.server.runs.setdefault((entity, project, name), StoredRun())
        run.display_name = variables.get("displayName") or run.display_name
        run.group = variables.get("groupName") or run.group
        run.job_type = variables.get("jobType") or run.job_type
        run.tags = variables.get("tags") or run.tags
        run.config = variables.get("config") or run.config
        run.state = "running"
        owner = {"id": "p", "name": project, "entity": {"id": "e", "name": entity}}
        bucket = {
            "id": name,
            "name": name,
            "displayName": run.display_name,
            "config": run.config,
            "project": owner,
        }
        return {
            "upsertBucket": {
                "bucket": {**bucket, "historyLineCount": len(run.lines)},
                "inserted": inserted,
            }
        }

    def _on_get_default_entity(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"viewer": {"id": "1", "entity": ENTITY}}

    def _on_run(self, variables: dict[str, Any]) -> dict[str, Any]:
        run = self.server.runs.get((variables["entity"], variables["project"], variables["name"]))
        if run is None:
            return {"project": {"run": None}}
        return {"project": {"run": _describe_run(variables["name"], run)}}

    _on_run_history_keys = _on_run

    def _on_runs(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return a page of a project's runs that match the filters, in the order of their start."""
        project = (variables["entity"], variables["project"])
        filters = json.loads(variables["filters"])
        runs = [(key[2], run) for key, run in self.server.runs.items() if key[:2] == project]
        if not runs:
            return {"project": None}
        matching = [(name, run) for name, run in runs if _matches(run, filters)]
        begin = int(variables.get("cursor") or 0)
        end = begin + (self.server.max_page or variables["perPage"])
        nodes = [_describe_run(name, run) for name, run in matching[begin:end]]
        for node in nodes:  # the client does not request these for a listing
            for key in ("config", "summaryMetrics", "systemMetrics"):
                del node[key]
        edges = [
            {"node": node, "cursor": str(number)} for number, node in enumerate(nodes, begin + 1)
        ]
        page = {"endCursor": None, "hasNextPage": end < len(matching)}
        return {
            "project": {
                "internalId": "1",
                "runCount": len(matching),
                "readOnly": False,
                "runs": {"edges": edges, "pageInfo": page},
            }
        }

    def _on_run_files(self, variables: dict[str, Any]) -> dict[str, Any]:
        run = self.server.runs[variables["entity"], variables["project"], variables["name"]]
        prefix = (variables["pattern"] or "").rstrip("%")
        names = sorted(name for name in run.files if name.startswith(prefix))
        edges = [{"node": {"id": name, "name": name}, "cursor": name} for name in names]
        files = {"edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}}
        return {"project": {"internalId": "1", "run": {"fileCount": len(names), "files": files}}}

    def _on_run_parquet_history(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"run": {"parquetHistory": {"parquetUrls": [], "liveData": []}}}}

    def _on_history_page(self, variables: dict[str, Any]) -> dict[str, Any]:
        run = self.server.runs[variables["entity"], variables["project"], variables["run"]]
        rows = [
            json.dumps(row)
            for row in run.rows()
            if variables["minStep"] <= row["_step"] < variables["maxStep"]
        ]
        return {"project": {"run": {"history": rows}}}

    def _on_create_run_files(self, variables: dict[str, Any]) -> dict[str, Any]:
        run = f"{variables['entity']}/{variables['project']}/{variables['run']}"
        folder = f"{self.server.url}/storage/run/{run}"
        files = [
            {"name": name, "uploadUrl": f"{folder}/{quote(name)}"} for name in variables["files"]
        ]
        return {"createRunFiles": {"runID": variables["run"], "uploadHeaders": [], "files": files}}


def _check_names(entity: str, project: str, name: str, variables: dict[str, Any]) -> None:
    """Raise Refused for a name that W&B refuses: its characters, or its length."""
    labels = {"entity": entity, "project": project, "run": name}
    for kind, label in labels.items():
        if not label.strip() or set(label) & set("/\\#?%:"):
            raise Refused(400, f"invalid {kind} name {label!r}")
    labels["group"] = variables.get("groupName") or ""
    labels["display"] = variables.get("displayName") or ""
    for kind, label in labels.items():
        if len(label) > 128:
            raise Refused(400, f"invalid {kind} name {label!r}, must be 128 characters or less")
    for tag in variables.get("tags") or []:
        if not 1 <= len(tag) <= 64:
            raise Refused(400, f"invalid tag {tag!r}, must be between 1 and 64 characters")


def _matches(run: StoredRun, filters: dict[str, Any]) -> bool:
    values = {"jobType": run.job_type, "group": run.group}
    return all(values[key] == value for key, value in filters.items())


def _describe_run(name: str, run: StoredRun) -> dict[str, Any]:
    """Return what the server answers about a run."""
    return {
        "id": name,
        "projectId": "1",
        "name": name,
        "displayName": run.display_name,
        "state": run.state,
        "group": run.group,
        "jobType": run.job_type,
        "tags": run.tags,
        "config": run.config,
        "summaryMetrics": run.summary,
        "systemMetrics": "{}",
        "historyLineCount": len(run.lines),
        "historyKeys": {"lastStep": run.last_step()},
        "user": {"name": ENTITY, "username": ENTITY},
    }


for method in ("GET", "POST", "PUT"):
    setattr(_Handler, f"do_{method}", _Handler._serve)
