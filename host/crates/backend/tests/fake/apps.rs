//! The instances of the fake: real servers on ports of their own, each as its artifact's name says.
//!
//! `sha256:fake` answers every request with its environment's `SAYS`; `sha256:crash` ends at once; `sha256:slow` listens a
//! moment later; `sha256:mortal` answers once and then ends; `sha256:gone` was never built; `sha256:device` needs the one
//! device there is, which one instance at a time may have.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use spaceport_backend_protocol::{
    Artifact, ErrorCode, Instance, InstanceId, InstanceState, LogLine, LogStream, StartRequest,
};

use crate::line;

/// How long a slow app takes until it listens.
const SLOW: Duration = Duration::from_millis(300);

/// All of them.
#[derive(Default)]
pub(crate) struct Apps(Mutex<BTreeMap<InstanceId, App>>);

struct App {
    artifact: Artifact,
    state: InstanceState,
    shared: Arc<Shared>,
}

/// What an app and its server share.
#[derive(Default)]
struct Shared {
    lines: Mutex<Vec<LogLine>>,
    has_ended: AtomicBool,
    /// It is to end by itself.
    is_over: AtomicBool,
}

impl Apps {
    /// One that is there from the beginning and that nobody calls.
    pub(crate) fn put(&self, id: InstanceId) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 7860));
        let shared = Arc::<Shared>::default();
        for text in ["one", "", "three"] {
            shared.say(text);
        }
        shared.has_ended.store(true, Ordering::SeqCst);
        let app = App { artifact: artifact("sha256:fake"), state: InstanceState::Running { address }, shared };
        self.lock().insert(id, app);
    }

    pub(crate) fn list(&self) -> Vec<Instance> {
        self.settle();
        self.lock().iter().map(|(id, app)| app.told(id)).collect()
    }

    pub(crate) fn start(&self, request: &StartRequest) -> Result<Instance, ErrorCode> {
        self.settle();
        let mut apps = self.lock();
        if let Some(there) = apps.get(&request.id) {
            return Ok(there.told(&request.id));
        }
        let kind = request.artifact.as_str();
        let has_device =
            |app: &App| app.artifact == request.artifact && matches!(app.state, InstanceState::Running { .. });
        match kind {
            "sha256:gone" => return Err(ErrorCode::NoSuchArtifact),
            "sha256:device" if apps.values().any(has_device) => return Err(ErrorCode::Busy),
            _ => {}
        }
        let app = App::start(request);
        let told = app.told(&request.id);
        apps.insert(request.id.clone(), app);
        Ok(told)
    }

    pub(crate) fn stop(&self, id: &InstanceId, reason: &str) -> Option<Instance> {
        let mut apps = self.lock();
        let app = apps.get_mut(id)?;
        app.end(Some(0), reason);
        Some(app.told(id))
    }

    pub(crate) fn remove(&self, id: &InstanceId) {
        if let Some(mut app) = self.lock().remove(id) {
            app.end(None, "it was removed");
        }
    }

    pub(crate) fn has(&self, id: &InstanceId) -> bool {
        self.lock().contains_key(id)
    }

    /// Writes the log of an instance until that ends.
    pub(crate) fn pour_log(
        &self,
        id: &InstanceId,
        mut write: impl FnMut(&LogLine) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let Some(shared) = self.lock().get(id).map(|app| app.shared.clone()) else { return Ok(()) };
        let mut told = 0;
        loop {
            let has_ended = shared.has_ended.load(Ordering::SeqCst) || shared.is_over.load(Ordering::SeqCst);
            let lines: Vec<LogLine> = lock(&shared.lines).iter().skip(told).cloned().collect();
            told += lines.len();
            lines.iter().try_for_each(&mut write)?;
            if has_ended {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Notes which have ended by themselves.
    fn settle(&self) {
        for app in self.lock().values_mut().filter(|app| app.shared.is_over.load(Ordering::SeqCst)) {
            app.end(Some(1), "it had enough");
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<InstanceId, App>> {
        lock(&self.0)
    }
}

impl App {
    fn start(request: &StartRequest) -> Self {
        let shared = Arc::<Shared>::default();
        shared.say(&format!("started as {}", request.id));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let says = request.variables.iter().find(|variable| variable.name.as_str() == "SAYS");
        let says = says.map_or("hello", |variable| variable.value.as_str()).to_owned();
        let state = InstanceState::Running { address };
        let kind = request.artifact.as_str().to_owned();
        let app = Self { artifact: request.artifact.clone(), state, shared: shared.clone() };
        match kind.as_str() {
            "sha256:crash" => {
                shared.say("Traceback: no module named app");
                shared.is_over.store(true, Ordering::SeqCst);
            }
            "sha256:slow" => {
                drop(listener);
                thread::spawn(move || {
                    thread::sleep(SLOW);
                    let Ok(listener) = TcpListener::bind(address) else { return };
                    serve(&listener, &shared, &says, false);
                });
            }
            kind => {
                let is_mortal = kind == "sha256:mortal";
                thread::spawn(move || serve(&listener, &shared, &says, is_mortal));
            }
        }
        app
    }

    fn told(&self, id: &InstanceId) -> Instance {
        Instance { id: id.clone(), artifact: self.artifact.clone(), state: self.state.clone() }
    }

    fn end(&mut self, code: Option<i32>, reason: &str) {
        if let InstanceState::Running { address } = self.state {
            self.shared.say("bye");
            self.state = InstanceState::Exited { code, reason: line(reason) };
            self.shared.has_ended.store(true, Ordering::SeqCst);
            // Wakes the server, which then lets its port go.
            let _ = std::net::TcpStream::connect(address);
        }
    }
}

impl Shared {
    fn say(&self, text: &str) {
        let line = LogLine { stream: LogStream::Out, text: text.to_owned(), at_ms: None };
        lock(&self.lines).push(line);
    }
}

/// Answers one request after the other.
fn serve(listener: &TcpListener, shared: &Shared, says: &str, is_mortal: bool) {
    for stream in listener.incoming().flatten() {
        if shared.has_ended.load(Ordering::SeqCst) {
            return;
        }
        let mut from = BufReader::new(&stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if from.read_line(&mut head).unwrap_or(0) == 0 {
                break;
            }
        }
        let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{says}", says.len());
        let _ = (&stream).write_all(answer.as_bytes());
        if is_mortal {
            shared.say("farewell");
            shared.is_over.store(true, Ordering::SeqCst);
            return;
        }
    }
}

fn artifact(name: &str) -> Artifact {
    name.parse().expect("it is a name")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
