//! A backend plugin in another language than ours, written from the protocol's documentation alone.

use std::path::PathBuf;

use tempfile::TempDir;

/// Answers as a file tells it: `good`, `unready` or `garbage`. Writes its process id to another. Its instances are processes
/// that live on without it, each a web server; what it knows of them is in a file too.
const SCRIPT: &str = r#"
import json, os, signal, socket, socketserver, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler

folder = sys.argv[1]
path = sys.argv[sys.argv.index("--socket") + 1]
assert path == os.environ["SPACEPORT_BACKEND_SOCKET"]
lock = threading.RLock()

def known():
    with open(folder + "/instances") as file:
        return json.load(file)

def note(instances):
    with open(folder + "/instances.part", "w") as file:
        json.dump(instances, file)
    os.rename(folder + "/instances.part", folder + "/instances")

def told(id, made):
    try:
        os.waitpid(made["pid"], os.WNOHANG)
    except ChildProcessError:
        pass
    try:
        with open("/proc/%d/cmdline" % made["pid"]) as file:
            runs = "app.py" in file.read()
    except OSError:
        runs = False
    state = {"status": "running", "address": "127.0.0.1:%d" % made["port"]}
    if not runs:
        state = {"status": "exited", "code": 3, "reason": "it was ended"}
    return {"id": id, "artifact": made["artifact"], "state": state}

def start(asked):
    instances = known()
    if asked["id"] not in instances:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        env = {variable["name"]: variable["value"] for variable in asked["variables"]}
        # By that variable the host knows what belongs to the plugin and ends with it.
        own = {name: value for name, value in os.environ.items() if name != "SPACEPORT_BACKEND_SOCKET"}
        app = subprocess.Popen([sys.executable, folder + "/app.py", str(port)], env={**own, **env},
                               stdin=subprocess.DEVNULL, stdout=open(folder + "/" + asked["id"], "w"),
                               stderr=subprocess.DEVNULL, start_new_session=True)
        instances[asked["id"]] = {"pid": app.pid, "port": port, "artifact": asked["artifact"]}
        note(instances)
    return told(asked["id"], instances[asked["id"]])

def end(id):
    try:
        os.kill(known()[id]["pid"], signal.SIGKILL)
        os.waitpid(known()[id]["pid"], 0)
    except (KeyError, OSError):
        pass

def answer(method, verb, asked):
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
        refusal = lambda row: {"refusal": "there is no GPU in this machine"} if "gpu" in row else {}
        flavors = [{"name": row["name"], **refusal(row)} for row in json.loads(asked)["hardware"]]
        capacity = {"cpu_milli": 1000, "memory_bytes": 1 << 30, "disk_bytes": 1 << 30}
        return {"name": "Python", "version": sys.version.split()[0], "sdks": ["docker", "static"], "flavors": flavors,
                "capacity": capacity, "devices": []}
    if verb == "/v1/builds":
        request = json.loads(asked)
        line = json.dumps({"event": "log", "stream": "out", "text": "building with python"}) + "\n"
        end_line = {"event": "built", "artifact": "sha256:python", "bytes": 1}
        if request["recipe"]["sdk"] == "static":
            with open(request["recipe"]["output"] + "/index.html", "w") as file:
                file.write("<p>" + request["recipe"]["command"])
            end_line = {"event": "written", "files": 1, "bytes": 1}
        return (line + json.dumps(end_line) + "\n").encode()
    if verb == "/v1/artifacts/retain":
        return {"missing": [], "removed": 0, "freed_bytes": 0}
    with lock:
        parts = verb.split("/")[2:]
        if parts == ["instances"]:
            listed = [told(id, made) for id, made in known().items()]
            return start(json.loads(asked)) if method == "POST" else {"instances": listed}
        id, instances = parts[1], known()
        if method == "DELETE":
            end(id)
            instances.pop(id, None)
            note(instances)
            return {"id": id}
        if id not in instances:
            return None
        if parts[2] == "stop":
            end(id)
            return told(id, instances[id])
        if parts[2] == "stats":
            return {"cpu_us": 1, "memory_bytes": 1 << 20, "disk_bytes": 0, "data_bytes": 0, "received_bytes": 0,
                    "sent_bytes": 0}
        if parts[2] == "logs":
            with open(folder + "/" + id) as file:
                lines = [json.dumps({"stream": "out", "text": line.rstrip("\n")}) + "\n" for line in file]
            return "".join(lines).encode()

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.rfile.read(int(self.headers.get("content-length", 0)))
        value = answer(self.command, self.path, asked)
        refusal = {"error": "no_such_call", "message": "-"}
        body = value if isinstance(value, bytes) else json.dumps(value or refusal).encode()
        self.send_response(404 if value is None else 200)
        self.send_header("spaceport-call", self.headers["spaceport-call"])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET

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

/// What its instances run: tells its process id and a variable; goes on as an echo where it is asked to; ends when told.
const APP: &str = r#"
import os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("upgrade") == "websocket":
            self.wfile.write(b"HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            while data := self.connection.recv(4096):
                self.connection.sendall(data)
            self.close_connection = True
            return
        body = f"{os.getpid()} {os.environ.get('SAYS', '')}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/end":
            self.wfile.flush()
            os._exit(3)

    def log_message(self, *_):
        pass

print("listening", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

/// A plugin that a host can be told to start.
pub struct FakePlugin {
    dir: TempDir,
}

impl FakePlugin {
    /// One that is good for now.
    pub fn new() -> Self {
        let plugin = Self { dir: tempfile::tempdir().unwrap() };
        for (name, content) in [("plugin.py", SCRIPT), ("app.py", APP), ("instances", "{}")] {
            std::fs::write(plugin.file(name), content).unwrap();
        }
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

    /// The processes of its instances that run.
    pub fn apps(&self) -> Vec<i32> {
        let app = self.file("app.py");
        let runs = |pid: &i32| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command.split(|byte| *byte == 0).any(|word| word == app.as_os_str().as_encoded_bytes())
        };
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(runs).collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for FakePlugin {
    fn drop(&mut self) {
        // They outlive the host and the plugin, as containers do, but not the test.
        for pid in self.apps().into_iter().filter_map(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

impl Default for FakePlugin {
    fn default() -> Self {
        Self::new()
    }
}
