//! The hub as the shell's commands speak with it: through the same calls that other clients make.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine;
use serde_json::{Value, json};
use spaceport_core::name::SpacePath;

use crate::cli::HubArgs;

/// How long a Space may take to serve what was pushed before we stop watching; it goes on without us.
const WATCH: Duration = Duration::from_secs(120);
/// Pause between two looks at the Space.
const POLL: Duration = Duration::from_millis(100);
/// Stages on the way to another one.
const MOVING: [&str; 4] = ["BUILDING", "RUNNING_BUILDING", "APP_STARTING", "RUNNING_APP_STARTING"];

/// A hub and a token for it.
pub(super) struct Hub {
    agent: ureq::Agent,
    /// Its address, without a slash at the end.
    pub(super) endpoint: String,
    /// An access token.
    pub(super) token: String,
}

impl Hub {
    /// The hub that the arguments name; nothing is asked of it yet.
    pub(super) fn new(args: &HubArgs) -> anyhow::Result<Self> {
        let token = args.token.clone().context("no access token: set HF_TOKEN or give --token")?;
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Ok(Self { agent, endpoint: args.endpoint.trim_end_matches('/').to_owned(), token })
    }

    /// A Space of whose token it is.
    pub(super) fn own_space(&self, name: &str) -> anyhow::Result<SpacePath> {
        let owner =
            self.get("/api/whoami-v2")?["name"].as_str().context("the hub did not say whose token this is")?.to_owned();
        format!("{owner}/{name}").parse().context("name the Space with --to owner/name")
    }

    /// Creates a Space; false if it is there already.
    pub(super) fn create(&self, space: &SpacePath, sdk: &str) -> anyhow::Result<bool> {
        let body = json!({"type": "space", "name": space.name, "organization": space.owner, "sdk": sdk});
        let (status, answer) = self.send("/api/repos/create", "application/json", body.to_string().as_bytes())?;
        match status {
            200 => Ok(true),
            409 => Ok(false),
            _ => bail!("create {space}: {}", message(status, &answer)),
        }
    }

    /// Asks for a persistent disk.
    pub(super) fn ask_for_storage(&self, space: &SpacePath, tier: &str) -> anyhow::Result<()> {
        let path = format!("/api/spaces/{space}/storage");
        let (status, answer) = self.send(&path, "application/json", json!({"tier": tier}).to_string().as_bytes())?;
        if status == 200 { Ok(()) } else { bail!("storage of {space}: {}", message(status, &answer)) }
    }

    /// Commits files to `main`; the new revision.
    pub(super) fn commit(
        &self,
        space: &SpacePath,
        summary: &str,
        files: &[(String, Vec<u8>)],
    ) -> anyhow::Result<String> {
        let mut lines = json!({"key": "header", "value": {"summary": summary}}).to_string();
        for (path, content) in files {
            let content = base64::engine::general_purpose::STANDARD.encode(content);
            let file = json!({"key": "file", "value": {"path": path, "content": content, "encoding": "base64"}});
            lines.push('\n');
            lines.push_str(&file.to_string());
        }
        let path = format!("/api/spaces/{space}/commit/main");
        let (status, answer) = self.send(&path, "application/x-ndjson", lines.as_bytes())?;
        match (status, answer["commitOid"].as_str()) {
            (200, Some(oid)) => Ok(oid.to_owned()),
            _ => bail!("commit to {space}: {}", message(status, &answer)),
        }
    }

    /// Watches until the Space has settled on the commit.
    pub(super) fn follow(&self, space: &SpacePath, commit: &str) -> anyhow::Result<()> {
        let started = Instant::now();
        let mut shown = String::new();
        while started.elapsed() < WATCH {
            let runtime = self.get(&format!("/api/spaces/{space}/runtime"))?;
            let stage = runtime["stage"].as_str().unwrap_or("unknown").to_owned();
            if stage != shown {
                say(&format!("{:>6.2}s  {stage}", started.elapsed().as_secs_f64()))?;
                shown.clone_from(&stage);
            }
            if !MOVING.contains(&stage.as_str()) {
                return self.settled(space, commit, &stage, &runtime);
            }
            std::thread::sleep(POLL);
        }
        bail!("{space} is still {shown} after {} seconds; it goes on without us", WATCH.as_secs())
    }

    fn settled(&self, space: &SpacePath, commit: &str, stage: &str, runtime: &Value) -> anyhow::Result<()> {
        let serves_another = runtime["sha"].as_str().is_some_and(|sha| sha != commit);
        if !matches!(stage, "RUNNING" | "SLEEPING" | "PAUSED") || (stage == "RUNNING" && serves_another) {
            bail!("{space} is {stage}: {}", runtime["errorMessage"].as_str().unwrap_or("see its build log"));
        }
        let info = self.get(&format!("/api/spaces/{space}"))?;
        say(&format!("{space} is {stage} at {}/", info["host"].as_str().unwrap_or_default()))
    }

    fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.endpoint);
        let request = self.agent.get(&url).header("authorization", format!("Bearer {}", self.token));
        let mut response = request.call().with_context(|| format!("reach {url}"))?;
        let status = response.status().as_u16();
        let answer = response.body_mut().read_json().unwrap_or(Value::Null);
        if status == 200 { Ok(answer) } else { bail!("GET {path}: {}", message(status, &answer)) }
    }

    fn send(&self, path: &str, content_type: &str, body: &[u8]) -> anyhow::Result<(u16, Value)> {
        let url = format!("{}{path}", self.endpoint);
        let mut response = self
            .agent
            .post(&url)
            .header("authorization", format!("Bearer {}", self.token))
            .content_type(content_type)
            .send(body)
            .with_context(|| format!("reach {url}"))?;
        Ok((response.status().as_u16(), response.body_mut().read_json().unwrap_or(Value::Null)))
    }
}

fn message(status: u16, answer: &Value) -> String {
    match &answer["error"] {
        Value::String(text) => text.clone(),
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        _ => format!("the hub answered {status}"),
    }
}

/// Writes a line to standard output.
pub(super) fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("write to standard output")
}
