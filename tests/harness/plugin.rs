//! A backend plugin in another language than ours, written from the protocol's documentation alone.

use std::path::PathBuf;

use tempfile::TempDir;

/// Answers as a file tells it: `good`, `unready` or `garbage`. Writes its process id to another.
const SCRIPT: &str = r#"
import json, os, socketserver, sys, threading
from http.server import BaseHTTPRequestHandler

folder = sys.argv[1]
path = sys.argv[sys.argv.index("--socket") + 1]
assert path == os.environ["SPACEPORT_BACKEND_SOCKET"]

def answer(verb, asked):
    with open(folder + "/mode") as file:
        mode = file.read()
    if mode == "garbage":
        return b"<html>"
    if verb == "/protocol":
        return {"protocol": "spaceport-backend", "versions": [1, 2]}
    if verb == "/v1/health" and mode == "unready":
        return {"status": "unready", "reason": "its engine is away"}
    if verb == "/v1/health":
        return {"status": "ready"}
    if verb == "/v1/describe":
        flavors = [{"name": row["name"]} for row in json.loads(asked)["hardware"]]
        capacity = {"cpu_milli": 1000, "memory_bytes": 1 << 30, "disk_bytes": 1 << 30}
        return {"name": "Python", "version": sys.version.split()[0], "sdks": ["docker"], "flavors": flavors,
                "capacity": capacity, "devices": []}

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.rfile.read(int(self.headers.get("content-length", 0)))
        value = answer(self.path, asked)
        body = value if isinstance(value, bytes) else json.dumps(value or {"error": "no_such_call", "message": "-"}).encode()
        self.send_response(200 if value else 404)
        self.send_header("spaceport-call", self.headers["spaceport-call"])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass

def end_with_the_host():
    sys.stdin.buffer.read()
    os._exit(0)

threading.Thread(target=end_with_the_host, daemon=True).start()
with open(folder + "/pid", "w") as file:
    file.write(str(os.getpid()))
socketserver.ThreadingUnixStreamServer(path, Handler).serve_forever()
"#;

/// A plugin that a host can be told to start.
pub struct FakePlugin {
    dir: TempDir,
}

impl FakePlugin {
    /// One that is good for now.
    pub fn new() -> Self {
        let plugin = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::write(plugin.file("plugin.py"), SCRIPT).unwrap();
        plugin.turn("good");
        plugin
    }

    /// From now on it answers like that.
    pub fn turn(&self, mode: &str) {
        std::fs::write(self.file("next"), mode).unwrap();
        std::fs::rename(self.file("next"), self.file("mode")).unwrap();
    }

    /// How a host is told to start it under a name.
    pub fn config(&self, name: &str) -> String {
        let (script, folder) = (self.file("plugin.py"), self.dir.path().to_owned());
        format!("[backends.{name}]\ncommand = [\"python3\", {script:?}, {folder:?}]\n")
    }

    /// Its process, if it runs; that of an earlier start until a new one has begun.
    pub fn pid(&self) -> Option<i32> {
        let pid = std::fs::read_to_string(self.file("pid")).ok()?.parse().ok()?;
        // One that has ended and was not waited for yet has no command line.
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        command.windows(9).any(|part| part == b"plugin.py").then_some(pid)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Default for FakePlugin {
    fn default() -> Self {
        Self::new()
    }
}
