//! A Space under test: what an owner does with it and what a visitor sees of it.

use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};

use crate::client::{Answer, sse_until};
use crate::guests::guest;
use crate::host::{TestHost, USER};
use crate::wait;

/// How long a Space may take to settle: the machine may be busy with other tests.
const SETTLE: Duration = Duration::from_secs(60);

/// How long a line may take from a guest to a reader of the log.
const LOGGED: Duration = Duration::from_secs(10);
/// How long a log is read for a report.
const REPORTED: Duration = Duration::from_millis(300);

/// Files of one commit, by path.
#[derive(Debug, Clone, Default)]
pub struct Files(pub Vec<(String, Vec<u8>)>);

impl Files {
    /// A static Space with these files.
    pub fn site(files: &[(&str, &str)]) -> Self {
        Self::default().with("README.md", "---\ntitle: Site\nsdk: static\n---\n").with_all(files)
    }

    /// A component Space that runs a test guest; `front_matter` is added to its README's.
    pub fn guest(name: &str, front_matter: &str) -> Self {
        let readme = format!("---\ntitle: {name}\nsdk: wasm\n{front_matter}\n---\n");
        Self(vec![("README.md".into(), readme.into_bytes()), ("app.wasm".into(), guest(name))])
    }

    /// One file more.
    pub fn with(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.0.retain(|(old, _)| old != path);
        self.0.push((path.to_owned(), content.as_ref().to_vec()));
        self
    }

    fn with_all(self, files: &[(&str, &str)]) -> Self {
        files.iter().fold(self, |all, (path, content)| all.with(path, content))
    }

    /// The `sdk` that the README names, as a client would send it.
    pub fn sdk(&self) -> &'static str {
        let readme = self.0.iter().find(|(path, _)| path == "README.md");
        let text = readme.map(|(_, content)| String::from_utf8_lossy(content).into_owned()).unwrap_or_default();
        ["static", "wasm", "docker", "gradio", "markdown-demo"]
            .into_iter()
            .find(|sdk| text.contains(&format!("sdk: {sdk}")))
            .unwrap_or("static")
    }
}

/// A Space of [`USER`].
pub struct TestSpace<'a> {
    /// The host it lives on.
    pub host: &'a TestHost,
    /// `owner/name`.
    pub id: String,
    /// Its app's host name with port.
    pub authority: String,
}

impl<'a> TestSpace<'a> {
    /// Creates it, empty.
    #[track_caller]
    pub fn create(host: &'a TestHost, name: &str, sdk: &str) -> Self {
        let answer = host.client().send(
            "POST",
            &host.domain(),
            "/api/repos/create",
            &[("content-type", "application/json")],
            json!({"type": "space", "name": name, "sdk": sdk}).to_string().as_bytes(),
        );
        assert_eq!(answer.status, 200, "create {name}: {}", answer.text());
        Self::named(host, name, if sdk == "static" { ".static" } else { "" })
    }

    /// A Space that is there already; `label` stands between subdomain and domain.
    pub fn named(host: &'a TestHost, name: &str, label: &str) -> Self {
        let subdomain = format!("{USER}-{}", name.to_lowercase().replace(['_', '.'], "-"));
        Self { host, id: format!("{USER}/{name}"), authority: format!("{subdomain}{label}.{}", host.domain()) }
    }

    /// Deletes it.
    #[track_caller]
    pub fn delete(&self) {
        let (owner, name) = self.id.split_once('/').unwrap();
        let body = json!({"type": "space", "organization": owner, "name": name}).to_string();
        let headers = [("content-type", "application/json")];
        let client = self.host.client();
        let answer = client.send("DELETE", &self.host.domain(), "/api/repos/delete", &headers, body.as_bytes());
        assert_eq!(answer.status, 200, "delete {}: {}", self.id, answer.text());
    }

    /// Commits these files; returns the answer whatever it is.
    #[track_caller]
    pub fn commit(&self, files: &Files) -> Answer {
        self.commit_as("", "test", files)
    }

    /// Opens a pull request that would change these files; its title is the commit's message.
    #[track_caller]
    pub fn propose(&self, message: &str, files: &Files) {
        let answer = self.commit_as("?create_pr=1", message, files);
        assert_eq!(answer.status, 200, "pull request for {}: {}", self.id, answer.text());
    }

    /// Commits these files with a message, and what else the address says.
    #[track_caller]
    pub fn commit_as(&self, query: &str, message: &str, files: &Files) -> Answer {
        let mut lines = vec![json!({"key": "header", "value": {"summary": message}}).to_string()];
        for (path, content) in &files.0 {
            let content = base64::engine::general_purpose::STANDARD.encode(content);
            let value = json!({"path": path, "content": content, "encoding": "base64"});
            lines.push(json!({"key": "file", "value": value}).to_string());
        }
        let headers = [("content-type", "application/x-ndjson")];
        self.api("POST", &format!("/commit/main{query}"), &headers, lines.join("\n").as_bytes())
    }

    /// Commits raw lines.
    #[track_caller]
    pub fn commit_lines(&self, lines: &[String]) -> Answer {
        let headers = [("content-type", "application/x-ndjson")];
        self.api("POST", "/commit/main", &headers, lines.join("\n").as_bytes())
    }

    /// Commits these files, which must be accepted; returns the commit.
    #[track_caller]
    pub fn push(&self, files: Files) -> String {
        let answer = self.commit(&files);
        assert_eq!(answer.status, 200, "commit to {}: {}", self.id, answer.text());
        answer.json()["commitOid"].as_str().unwrap().to_owned()
    }

    /// A call of the Space's API.
    #[track_caller]
    pub fn api(&self, method: &str, rest: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.host.client().send(method, &self.host.domain(), &format!("/api/spaces/{}{rest}", self.id), headers, body)
    }

    /// A call with a JSON body; returns the JSON answer of a success.
    #[track_caller]
    pub fn post(&self, rest: &str, body: Value) -> Value {
        let headers = [("content-type", "application/json")];
        let answer = self.api("POST", rest, &headers, body.to_string().as_bytes());
        assert!(answer.status == 200, "POST {rest}: {} {}", answer.status, answer.text());
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
    }

    /// Its runtime.
    #[track_caller]
    pub fn runtime(&self) -> Value {
        let answer = self.api("GET", "/runtime", &[], &[]);
        assert_eq!(answer.status, 200, "runtime of {}: {}", self.id, answer.text());
        answer.json()
    }

    /// Its stage.
    #[track_caller]
    pub fn stage(&self) -> String {
        self.runtime()["stage"].as_str().unwrap().to_owned()
    }

    /// Waits until it is in this stage; on failure says through which it went and what its logs say.
    #[track_caller]
    pub fn reaches(&self, stage: &str) -> Value {
        let mut seen: Vec<String> = Vec::new();
        let found = wait::until(SETTLE, || {
            let runtime = self.runtime();
            let now = runtime["stage"].as_str().unwrap().to_owned();
            if seen.last() != Some(&now) {
                seen.push(now.clone());
            }
            (now == stage).then_some(runtime)
        });
        found.unwrap_or_else(|| {
            panic!(
                "{} did not reach {stage}; went through {seen:?}: {}\nbuild log:\n{}\nrun log:\n{}",
                self.id,
                self.runtime(),
                self.report("build"),
                self.report("run")
            )
        })
    }

    /// Waits until it serves this commit.
    #[track_caller]
    pub fn serves(&self, commit: &str) {
        let found = wait::until(SETTLE, || {
            let runtime = self.runtime();
            (runtime["stage"] == "RUNNING" && runtime["sha"].as_str().is_none_or(|sha| sha == commit)).then_some(())
        });
        assert!(found.is_some(), "{} did not serve {commit}: {}\n{}", self.id, self.runtime(), self.report("build"));
    }

    /// What a log says up to this text, which it must come to hold.
    #[track_caller]
    pub fn log_up_to(&self, kind: &str, text: &str) -> String {
        let path = format!("/api/spaces/{}/logs/{kind}", self.id);
        let found = sse_until(self.host, &path, LOGGED, |lines| lines_of(lines).contains(text));
        match found {
            Ok(lines) => lines_of(&lines),
            Err(lines) => panic!("the {kind} log of {} does not hold {text:?}:\n{}", self.id, lines_of(&lines)),
        }
    }

    /// Waits until the run log holds this text.
    #[track_caller]
    pub fn logs(&self, text: &str) {
        self.log_up_to("run", text);
    }

    /// What a log says, for a report of what went wrong; what comes late is not in it.
    fn report(&self, kind: &str) -> String {
        let path = format!("/api/spaces/{}/logs/{kind}", self.id);
        lines_of(&sse_until(self.host, &path, REPORTED, |_| false).unwrap_or_else(|lines| lines))
    }

    /// `GET` at its app, as a visitor.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.host.visitor().get(&self.authority, path)
    }

    /// Any request at its app, as a visitor.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.host.visitor().send(method, &self.authority, path, headers, body)
    }
}

/// The lines of a log's events.
fn lines_of(events: &[Value]) -> String {
    events.iter().filter_map(|event| event["data"].as_str()).collect()
}
