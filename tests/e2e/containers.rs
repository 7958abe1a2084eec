//! Docker and Gradio Spaces on a real container engine, from the push to the visitor.

mod apps;
mod gradio;
mod hardware;
mod life;

use spaceport_tests::Files;
use spaceport_tests::containers::base_image;

/// An app of Python's own library: tells of itself and of what it is told, writes and reads files, ends when asked to.
const APP: &str = r#"
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse, parse_qs

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlparse(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/exit":
            print("the last words", flush=True)
            os._exit(int(query["code"]))
        if url.path == "/write":
            with open(query["path"], "a") as file:
                file.write(query["text"])
        said = {"host": os.uname().nodename, "uid": os.getuid(), "environment": dict(os.environ), "arguments": sys.argv[1:]}
        if url.path == "/read":
            said = {"text": open(query["path"]).read()} if os.path.exists(query["path"]) else {"text": None}
        self.answer(json.dumps(said).encode())

    def do_POST(self):
        left = taken = int(self.headers["content-length"])
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))
        self.answer(str(taken).encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

print("listening", flush=True)
ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("LISTEN", "7860"))), Handler).serve_forever()
"#;

/// A Docker Space with the app; lines for its README, and for its Dockerfile before the one that starts the app.
fn app(readme: &str, steps: &str) -> Files {
    let dockerfile = format!("FROM {}\n{steps}\nCOPY app.py /app.py\nCMD [\"python3\", \"/app.py\"]\n", base_image());
    Files::default()
        .with("README.md", format!("---\nsdk: docker\n{readme}---\n"))
        .with("Dockerfile", dockerfile)
        .with("app.py", APP)
}
