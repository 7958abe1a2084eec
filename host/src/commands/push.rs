//! `spaceport push`: publishes a folder through the same calls that other clients make, then follows the Space until it
//! serves the new revision or says why not.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use ignore::WalkBuilder;
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
    let files = collect(&args.dir, &folder)?;
    check_entry(&folder, &files, &manifest.app_file)?;
    hub.create(&space, manifest.sdk.as_str())?;
    if let Some(tier) = &args.storage {
        hub.ask_for_storage(&space, tier)?;
    }
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

/// Every file below the folder but `.git` and what the folder's own `.gitignore` files leave out, by its path in the
/// repository. Links are not followed.
fn collect(dir: &Path, folder: &Dir) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut walk = WalkBuilder::new(dir);
    // Only what comes along with the folder: not the user's own settings, nor folders above, which the Space never sees.
    walk.hidden(false).ignore(false).git_global(false).git_exclude(false).parents(false).require_git(false);
    // A folder, or in a worktree a file that says where it is.
    walk.filter_entry(|entry| entry.file_name() != ".git");
    let mut files = Vec::new();
    for entry in walk.build() {
        let entry = entry.with_context(|| format!("look through {}", dir.display()))?;
        if let Some(error) = entry.error() {
            bail!("read a .gitignore: {error}");
        }
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path().strip_prefix(dir).context("stay in the folder")?;
        let Some(name) = path.to_str() else { bail!("{}: a file name is not UTF-8", path.display()) };
        files.push((name.to_owned(), folder.read(path).with_context(|| format!("read {name}"))?));
    }
    files.sort();
    Ok(files)
}

/// A Space without its entry would be of no use, and its README comes first.
fn check_entry(folder: &Dir, files: &[(String, Vec<u8>)], app_file: &str) -> anyhow::Result<()> {
    for needed in ["README.md", app_file] {
        if folder.exists(needed) && !files.iter().any(|(path, _)| path == needed) {
            bail!("{needed} is left out by .gitignore; add a line !{needed} to it");
        }
    }
    Ok(())
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

    /// A folder with these files, and the paths of those that would be pushed.
    fn collected(files: &[(&str, &str)]) -> (tempfile::TempDir, Vec<(String, Vec<u8>)>) {
        let dir = tempfile::TempDir::new().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let files = collect(dir.path(), &open(&dir)).unwrap();
        (dir, files)
    }

    fn open(dir: &tempfile::TempDir) -> Dir {
        Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap()
    }

    fn paths(files: &[(String, Vec<u8>)]) -> Vec<&str> {
        files.iter().map(|(path, _)| path.as_str()).collect()
    }

    #[test]
    fn everything_but_git_s_own_is_collected() {
        let all = ["README.md", "a/b/.hidden", ".git/config", "module/.git", ".ignore"].map(|path| (path, "*"));
        let (_dir, files) = collected(&all);
        assert_eq!(paths(&files), [".ignore", "README.md", "a/b/.hidden"]);
    }

    #[test]
    fn what_gitignore_names_stays_at_home() {
        let (_dir, files) = collected(&[
            (".gitignore", "*.log\n/target\n!kept.log\n"),
            ("README.md", ""),
            ("a.log", ""),
            ("kept.log", ""),
            ("target/app.wasm", ""),
            ("sub/target/x", ""),
            ("sub/.gitignore", "secret\n"),
            ("sub/secret", ""),
            ("secret", ""),
        ]);
        let expected = [".gitignore", "README.md", "kept.log", "secret", "sub/.gitignore", "sub/target/x"];
        assert_eq!(paths(&files), expected);
    }

    #[test]
    fn an_entry_that_gitignore_names_is_asked_for() {
        let (dir, files) = collected(&[(".gitignore", "*.wasm\n"), ("README.md", ""), ("app.wasm", "")]);
        let refused = check_entry(&open(&dir), &files, "app.wasm").unwrap_err().to_string();
        assert!(refused.contains("app.wasm") && refused.contains(".gitignore"), "{refused}");
        assert!(check_entry(&open(&dir), &files, "not-there").is_ok(), "the hub says that better");
        let (dir, files) = collected(&[(".gitignore", "*.wasm\n!app.wasm\n"), ("app.wasm", "")]);
        assert!(check_entry(&open(&dir), &files, "app.wasm").is_ok());
    }
}
