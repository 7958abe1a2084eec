//! `spaceport push`: publishes a folder through the same calls that other clients make, then follows the Space until it
//! serves the new revision or says why not.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde_json::{Value, json};
use spaceport_core::manifest::Manifest;
use spaceport_core::name::SpacePath;
use spaceport_core::plugin::Plugins;

use crate::cli::PushArgs;

/// How long a Space may take to serve what was pushed before we stop watching; it goes on without us.
const WATCH: Duration = Duration::from_secs(120);
/// Pause between two looks at the Space.
const POLL: Duration = Duration::from_millis(100);
/// Stages on the way to another one.
const MOVING: [&str; 4] = ["BUILDING", "RUNNING_BUILDING", "APP_STARTING", "RUNNING_APP_STARTING"];

/// Publishes the folder.
pub(super) fn run(args: &PushArgs) -> anyhow::Result<()> {
    let folder = Dir::open_ambient_dir(&args.dir, ambient_authority())
        .with_context(|| format!("open the folder {}", args.dir.display()))?;
    let readme = folder.read("README.md").context("read README.md, which holds the Space's configuration")?;
    let manifest = Manifest::from_readme(&readme, Plugins::Any(&[])).context("read the front matter of README.md")?;
    let hub = Hub::new(args)?;
    let space = match &args.to {
        Some(space) => space.clone(),
        None => hub.default_space(&args.dir)?,
    };
    hub.create(&space, manifest.sdk.as_str())?;
    if let Some(tier) = &args.storage {
        hub.ask_for_storage(&space, tier)?;
    }
    let files = collect(&folder)?;
    let commit = hub.commit(&space, &args.message, &files)?;
    say(&format!("{} files committed as {}", files.len(), commit.get(..8).unwrap_or(&commit)))?;
    hub.follow(&space, &commit)
}

struct Hub {
    agent: ureq::Agent,
    endpoint: String,
    token: String,
}

impl Hub {
    fn new(args: &PushArgs) -> anyhow::Result<Self> {
        let token = args.token.clone().context("no access token: set HF_TOKEN or give --token")?;
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Ok(Self { agent, endpoint: args.endpoint.trim_end_matches('/').to_owned(), token })
    }

    /// `owner/name` from whose token it is and what the folder is called.
    fn default_space(&self, dir: &Path) -> anyhow::Result<SpacePath> {
        let owner =
            self.get("/api/whoami-v2")?["name"].as_str().context("the hub did not say whose token this is")?.to_owned();
        let folder = dir.canonicalize().with_context(|| format!("find {}", dir.display()))?;
        let name = folder.file_name().and_then(|name| name.to_str()).context("name the Space with --to owner/name")?;
        format!("{owner}/{name}").parse().context("name the Space with --to owner/name")
    }

    fn create(&self, space: &SpacePath, sdk: &str) -> anyhow::Result<()> {
        let body = json!({"type": "space", "name": space.name, "organization": space.owner, "sdk": sdk});
        let (status, answer) = self.send("/api/repos/create", "application/json", body.to_string().as_bytes())?;
        match status {
            200 => say(&format!("created {space}")),
            409 => Ok(()),
            _ => bail!("create {space}: {}", message(status, &answer)),
        }
    }

    fn ask_for_storage(&self, space: &SpacePath, tier: &str) -> anyhow::Result<()> {
        let path = format!("/api/spaces/{space}/storage");
        let (status, answer) = self.send(&path, "application/json", json!({"tier": tier}).to_string().as_bytes())?;
        if status == 200 { Ok(()) } else { bail!("storage of {space}: {}", message(status, &answer)) }
    }

    fn commit(&self, space: &SpacePath, summary: &str, files: &[(String, Vec<u8>)]) -> anyhow::Result<String> {
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
    fn follow(&self, space: &SpacePath, commit: &str) -> anyhow::Result<()> {
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

/// Every file below the folder but `.git`, by its path in the repository.
fn collect(folder: &Dir) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    let mut pending = vec![String::new()];
    while let Some(prefix) = pending.pop() {
        let dir = if prefix.is_empty() { folder.try_clone()? } else { folder.open_dir(&prefix)? };
        for entry in dir.entries()? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { bail!("{prefix}: a file name is not UTF-8") };
            // A folder, or in a worktree a file that says where it is.
            if name == ".git" {
                continue;
            }
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                pending.push(path);
            } else if kind.is_file() {
                let content = dir.read(&name).with_context(|| format!("read {path}"))?;
                files.push((path, content));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn message(status: u16, answer: &Value) -> String {
    match &answer["error"] {
        Value::String(text) => text.clone(),
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        _ => format!("the hub answered {status}"),
    }
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("write to standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_git_s_own_is_collected() {
        let dir = tempfile::TempDir::new().unwrap();
        let write = |path: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        };
        ["README.md", "a/b/.hidden", ".gitignore", ".git/config", "module/.git"].into_iter().for_each(write);
        let files = collect(&Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap()).unwrap();
        let paths: Vec<_> = files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, [".gitignore", "README.md", "a/b/.hidden"]);
    }
}
