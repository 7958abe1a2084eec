//! Speaks the protocol of a Gradio app with one function, `greet`, for the Python client of such apps. What is asked in one
//! request is answered in the event stream of another, so calls go by way of the Space's files: no instance knows what
//! others hold in memory.

use std::fs;
use std::io;
use std::time::{Duration, Instant, SystemTime};

use spaceport_guest::{Event, Request, Response};

const CONFIG: &str = r#"{"version":"5.0.0","protocol":"sse_v3","api_prefix":"/gradio_api",
    "components":[{"id":1,"type":"textbox","props":{}},{"id":2,"type":"textbox","props":{}}],
    "dependencies":[{"id":0,"inputs":[1],"outputs":[2],"api_name":"greet","backend_fn":true,"queue":true}]}"#;
const INFO: &str = r#"{"named_endpoints":{"/greet":{"parameters":[{"label":"name","parameter_name":"name",
    "parameter_has_default":false,"type":{"type":"string"},"python_type":{"type":"str","description":""},
    "component":"Textbox"}],"returns":[{"label":"out","type":{"type":"string"},
    "python_type":{"type":"str","description":""},"component":"Textbox"}],"show_api":true}},"unnamed_endpoints":{}}"#;
/// Largest call.
const MAX_CALL: usize = 64 << 10;
/// How long a stream waits for a call.
const PATIENCE: Duration = Duration::from_secs(10);

fn handle(mut request: Request) -> Response {
    match request.path() {
        "/config" => Response::json(CONFIG),
        "/gradio_api/info" => Response::json(INFO),
        "/gradio_api/queue/join" => match request.read_all(MAX_CALL) {
            Ok(Ok(call)) => join(&String::from_utf8_lossy(&call)),
            _ => Response::empty(400),
        },
        "/gradio_api/queue/data" => {
            let session = request.query_value("session_hash").unwrap_or_default();
            Response::events(move |events| {
                let began = Instant::now();
                let mut answered = 0;
                while answered == 0 && began.elapsed() < PATIENCE {
                    for (id, name) in take(&session)? {
                        let output = format!(r#"{{"data":["Hello, {name}!"],"is_generating":false,"duration":0.1}}"#);
                        events.send(&Event::new(format!(r#"{{"msg":"process_starts","event_id":"{id}"}}"#)))?;
                        events.send(&Event::new(format!(
                            r#"{{"msg":"process_completed","event_id":"{id}","output":{output},"success":true}}"#
                        )))?;
                        answered += 1;
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
                events.send(&Event::new(r#"{"msg":"close_stream","event_id":null}"#))
            })
        }
        _ => Response::empty(404),
    }
}

/// Leaves a call for the stream of its session.
fn join(call: &str) -> Response {
    let text = |key: &str, end: char| {
        let rest = &call[call.find(key)? + key.len()..];
        Some(rest[..rest.find(end)?].trim_matches(['[', '"', ' ', ':']).to_owned())
    };
    let (Some(name), Some(session)) =
        (text("\"data\"", ']'), text("\"session_hash\":", ',').or_else(|| text("\"session_hash\":", '}')))
    else {
        return Response::empty(422);
    };
    let session = session.trim_matches(['"', '}', ' ']).to_owned();
    let folder = format!("/tmp/{session}");
    let id = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos()).to_string();
    let left = fs::create_dir_all(&folder)
        .and_then(|()| fs::write(format!("{folder}/{id}.part"), name))
        .and_then(|()| fs::rename(format!("{folder}/{id}.part"), format!("{folder}/{id}")));
    match left {
        Ok(()) => Response::json(format!(r#"{{"event_id":"{id}"}}"#)),
        Err(error) => Response::text(error.to_string()).with_status(500),
    }
}

/// The calls of a session, each once.
fn take(session: &str) -> io::Result<Vec<(String, String)>> {
    let mut calls = Vec::new();
    let Ok(entries) = fs::read_dir(format!("/tmp/{session}")) else { return Ok(calls) };
    for entry in entries {
        let entry = entry?;
        let id = entry.file_name().to_string_lossy().into_owned();
        if !id.ends_with(".part") {
            calls.push((id, fs::read_to_string(entry.path())?));
            fs::remove_file(entry.path())?;
        }
    }
    Ok(calls)
}

spaceport_guest::export!(handle);
