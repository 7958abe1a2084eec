"""An app in Python: answers HTTP as a component."""

import html
import os
import platform
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

# The host takes this much at once.
CHUNK = 4096

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Python hello</title><style>{style}</style></head><body><h1>🐍 Hello{name} from Python</h1>
<p>Python {version}, compiled to a component. This instance has answered {count} requests.</p>
<form class="card"><label for="name">Your name</label><input id="name" name="name" autocomplete="name">
<button>Say hello</button></form>
<div class="card"><strong>{space}</strong><p>{cores} vCPU, {memory} of memory</p></div></body></html>"""

answered = 0
style = None


def stylesheet() -> str:
    """The style sheet, a file of the repository; read on the first request, since building has no files of the Space."""
    global style
    if style is None:
        path = Path("/app/style.css")
        style = path.read_text() if path.exists() else ""
    return style


def page(name: str) -> str:
    return PAGE.format(
        style=stylesheet(),
        name=html.escape(f", {name}," if name else ""),
        version=platform.python_version(),
        count=answered,
        space=html.escape(os.environ.get("SPACE_ID", "a Space")),
        cores=html.escape(os.environ.get("CPU_CORES", "?")),
        memory=html.escape(os.environ.get("MEMORY", "?")),
    )


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        global answered
        answered += 1
        url = urlsplit(request.path_with_query() or "/")
        status, kind, text = 404, "text/plain", "nothing here"
        if url.path == "/":
            name = parse_qs(url.query).get("name", [""])[0]
            status, kind, text = 200, "text/html", page(name)
        answer(response_out, status, f"{kind}; charset=utf-8", text.encode())


def answer(response_out: ResponseOutparam, status: int, kind: str, content: bytes) -> None:
    fields = Fields.from_list([("content-type", kind.encode()), ("content-length", str(len(content)).encode())])
    response = OutgoingResponse(fields)
    response.set_status_code(status)
    body = response.body()
    ResponseOutparam.set(response_out, Ok(response))
    with body.write() as stream:
        for start in range(0, len(content), CHUNK):
            stream.blocking_write_and_flush(content[start : start + CHUNK])
    OutgoingBody.finish(body, None)
