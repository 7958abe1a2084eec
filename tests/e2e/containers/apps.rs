//! What a Docker Space may be and what it is given.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use spaceport_tests::containers::base_image;
use spaceport_tests::{ContainerHost, Files, TestSpace};

use super::app;

/// How long an app may take to say a word.
const PATIENCE: Duration = Duration::from_secs(30);

/// A web framework from the package index, with a WebSocket and a stream of events.
const FASTAPI: &str = r#"
import asyncio
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse

app = FastAPI()

@app.get("/")
def root():
    return {"hello": "from fastapi"}

@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.send_text("echo " + await socket.receive_text())

@app.get("/events")
async def events():
    async def lines():
        for n in range(3):
            yield f"data: {n}\n\n"
            await asyncio.sleep(0.1)
    return StreamingResponse(lines(), media_type="text/event-stream")
"#;

#[test]
fn a_web_framework_answers_streams_and_speaks_by_websocket() {
    let Some(host) = ContainerHost::start() else { return };
    let dockerfile = format!(
        "FROM {}\nRUN useradd -m -u 1000 user || true\nUSER 1000\nENV HOME=/tmp/home\nRUN python3 -m venv /tmp/venv && \
         /tmp/venv/bin/pip install --quiet fastapi==0.121.0 uvicorn==0.38.0 websockets==15.0.1\nWORKDIR /srv\n\
         COPY --chown=1000 main.py .\n\
         CMD [\"/tmp/venv/bin/uvicorn\", \"main:app\", \"--host\", \"0.0.0.0\", \"--port\", \"8000\"]\n",
        base_image()
    );
    let files = Files::default()
        .with("README.md", "---\nsdk: docker\napp_port: 8000\n---\n")
        .with("Dockerfile", dockerfile)
        .with("main.py", FASTAPI);
    let space = host.push("fast", files);
    host.brings(&space, "RUNNING");
    assert_eq!(space.get("/").json(), json!({"hello": "from fastapi"}));
    let events = space.get("/events");
    assert_eq!(
        (events.header("content-type"), events.text().as_str()),
        (Some("text/event-stream; charset=utf-8"), "data: 0\n\ndata: 1\n\ndata: 2\n\n")
    );
    let mut stream = TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "GET /ws HTTP/1.1\r\nhost: {}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        space.authority
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 101 ") && answer.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
    // One frame of text, masked with zeros, and one back.
    stream.write_all(b"\x81\x82\0\0\0\0hi").unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(&frame, b"\x81\x07echo hi");
}

/// A web server in C, for an image with nothing else in it.
const STATIC: &str = r#"
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(7860)};
    int one = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&at, sizeof at) || listen(server, 16)) return 1;
    for (;;) {
        int client = accept(server, NULL, NULL);
        char head[4096];
        const char *answer = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nscratch\n";
        if (read(client, head, sizeof head) > 0) write(client, answer, strlen(answer));
        close(client);
    }
}
"#;

#[test]
fn a_program_without_a_system_around_it_runs() {
    let Some(host) = ContainerHost::start() else { return };
    let (source, program) = (host.scratch().join("app.c"), host.scratch().join("app"));
    std::fs::write(&source, STATIC).unwrap();
    assert!(Command::new("gcc").args(["-static", "-O1", "-o"]).arg(&program).arg(&source).status().unwrap().success());
    let files = Files::default()
        .with("README.md", "---\nsdk: docker\n---\n")
        .with("Dockerfile", "FROM scratch\nCOPY --chmod=755 app /app\nCMD [\"/app\"]\n")
        .with("app", std::fs::read(&program).unwrap());
    let space = host.push("bare", files);
    host.brings(&space, "RUNNING");
    assert_eq!(space.get("/").text(), "scratch\n");
}

/// A value of this run's own, so that the engine does not take a step for one that it remembers.
fn new_colour() -> String {
    format!("green{}", std::process::id())
}

#[test]
fn variables_and_secrets_are_where_the_documentation_says() {
    let Some(host) = ContainerHost::start() else { return };
    let space = TestSpace::create(&host, "told", "docker");
    let colour = new_colour();
    space.post("/variables", json!({"key": "COLOUR", "value": colour}));
    space.post("/secrets", json!({"key": "KEY", "value": "hidden"}));
    let steps = "ARG COLOUR\nRUN --mount=type=secret,id=KEY,mode=0444,required=true \
                 echo \"built $COLOUR $(wc -c < /run/secrets/KEY) ${KEY:-none}\" > /built\n\
                 RUN test ! -e /run/secrets/KEY && test ! -e /data";
    space.push(app("title: Told\n", steps));
    host.brings(&space, "RUNNING");
    assert_eq!(space.get("/read?path=/built").json()["text"], format!("built {colour} 6 none\n"));
    let said = space.get("/").json();
    let told = |name: &str| said["environment"][name].as_str().unwrap_or("-").to_owned();
    assert_eq!((told("COLOUR"), told("KEY")), (colour, "hidden".to_owned()));
    assert_eq!((told("SPACE_TITLE"), told("SPACE_ID")), ("Told".to_owned(), "ada/told".to_owned()));
    assert_eq!((told("CPU_CORES"), told("SYSTEM")), ("2".to_owned(), "-".to_owned()));
    assert_eq!(said["uid"], 1000, "whoever an image says it runs as");
    let sent = space.send("POST", "/", &[], &vec![7; 20 << 20]);
    assert_eq!(sent.text(), (20 << 20).to_string());
    let (build, run) = (space.log_up_to("build", "COPY app.py"), space.log_up_to("run", "listening"));
    assert!(!build.contains("hidden") && !run.contains("hidden"));
}

#[test]
fn a_site_is_built_without_secrets_and_served_from_its_own_branch() {
    let Some(host) = ContainerHost::start() else { return };
    let space = TestSpace::create(&host, "site", "static");
    space.post("/secrets", json!({"key": "KEY", "value": "hidden"}));
    let colour = new_colour();
    space.post("/variables", json!({"key": "COLOUR", "value": colour}));
    let readme = "---\nsdk: static\napp_build_command: sh build.sh\napp_file: dist/index.html\n---\n";
    let build = "mkdir dist && node -e 'console.log(`<head></head><p>${process.env.COLOUR} ${process.env.KEY}`)' > dist/index.html\n";
    space.push(Files::default().with("README.md", readme).with("build.sh", build));
    host.brings(&space, "RUNNING");
    let page = space.get("/dist/index.html");
    assert!(page.text().ends_with(&format!("<p>{colour} undefined\n")), "{}", page.text());
    let refs = space.api("GET", "/refs", &[], &[]).json();
    assert_eq!(refs["converts"][0]["ref"], "refs/convert/build", "{refs}");
    assert_eq!(host.containers(), Vec::<String>::new(), "nothing of it runs");
}

#[test]
fn what_is_not_offered_is_refused_in_words() {
    let Some(host) = ContainerHost::start() else { return };
    let space = TestSpace::create(&host, "old", "docker");
    let refused = space.commit(&Files::default().with("README.md", "---\nsdk: streamlit\n---\n"));
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("docker"), "{}", refused.text());
    space.push(app("", ""));
    host.brings(&space, "RUNNING");
    let json = [("content-type", "application/json")];
    for (rest, body) in [("/replicas", r#"{"replicas":3}"#), ("/dev-mode", r#"{"enabled":true}"#)] {
        let refused = space.api("POST", rest, &json, body.as_bytes());
        assert!((400..500).contains(&refused.status), "{rest}: {}", refused.text());
    }
}
