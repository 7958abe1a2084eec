//! `spaceport import`: copies a git repository with its history and its large files into a Space, says how it can run here
//! and which secrets its code asks for. The real git and git-lfs do it, as their user has set them up.

mod environment;
mod repository;

use std::path::Path;

use anyhow::{Context, bail};
use spaceport_core::manifest::{Manifest, ManifestError};
use spaceport_core::plugin::Plugins;
use spaceport_core::space::Sdk;
use tempfile::TempDir;

use super::hub::{Hub, say};
use crate::cli::ImportArgs;
use repository::Repository;

/// What `hf://` may lead to.
const HF_SPACES: &str = "hf://spaces/";

/// Copies the repository.
pub(super) fn run(args: &ImportArgs) -> anyhow::Result<()> {
    let source = Source::parse(&args.source, &args.hf_base)?;
    let hub = Hub::new(&args.hub)?;
    let space = match &args.to {
        Some(space) => space.clone(),
        None => hub.own_space(&source.name)?,
    };
    let work = TempDir::new().context("make a folder for the copy")?;
    let repository = Repository::clone(&source.url, work.path(), &hub)?;
    let plan = plan(repository.readme()?.as_deref())?;
    say(&format!("{}: {}", args.source, plan.verdict))?;
    repository.fetch_large_files()?;
    if !hub.create(&space, plan.sdk.as_str())? && !args.force {
        bail!("there is a Space {space} already; name another with --to, or replace what it holds with --force");
    }
    repository.push(&space)?;
    say(&format!("imported as {}/spaces/{space}", hub.endpoint))?;
    let names = environment::names(&repository.environment_reads()?);
    if !names.is_empty() {
        say(&format!("its code reads from the environment: {}", names.join(", ")))?;
        say("secrets do not come along: set those among them in the Space's settings, or by its API")?;
    }
    if plan.sdk.is_container() { Ok(()) } else { hub.follow(&space, &repository.head()?) }
}

/// Where the repository is, for git.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    url: String,
    /// What a Space of it is called unless the user says otherwise.
    name: String,
}

impl Source {
    fn parse(text: &str, hf_base: &str) -> anyhow::Result<Self> {
        let url = match text.strip_prefix(HF_SPACES) {
            Some(path) => format!("{}/spaces/{path}", hf_base.trim_end_matches('/')),
            None if text.starts_with("hf://") => bail!("{text}: only Spaces can be imported, as {HF_SPACES}owner/name"),
            None if Path::new(text).is_dir() => folder_url(Path::new(text))?,
            None if text.contains(':') => text.to_owned(),
            None => bail!("{text} is neither a folder nor a URL, such as {HF_SPACES}owner/name"),
        };
        let last = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
        let name = last.strip_suffix(".git").unwrap_or(last).to_owned();
        Ok(Self { url, name })
    }
}

/// A folder by a URL, which git-lfs wants too.
fn folder_url(folder: &Path) -> anyhow::Result<String> {
    let is_repository = folder.join(".git").exists() || folder.join("HEAD").exists();
    if !is_repository {
        bail!("{} is not a git repository: publish it with `spaceport push`", folder.display());
    }
    let folder = folder.canonicalize().with_context(|| format!("find {}", folder.display()))?;
    Ok(format!("file://{}", folder.to_str().context("the folder's name is not UTF-8")?))
}

/// How a repository can run here.
struct Plan {
    sdk: Sdk,
    verdict: String,
}

/// What the README makes of it. One that no host would take is refused before anything is created.
fn plan(readme: Option<&[u8]>) -> anyhow::Result<Plan> {
    let manifest =
        match readme.map_or(Err(ManifestError::Missing), |text| Manifest::from_readme(text, Plugins::Any(&[]))) {
            Ok(manifest) => manifest,
            Err(ManifestError::Missing) => {
                let verdict = "its README has no configuration, so it cannot run until one is committed".to_owned();
                return Ok(Plan { sdk: Sdk::Static, verdict });
            }
            Err(error) => return Err(error).context("the front matter of its README.md cannot be used"),
        };
    let verdict = match manifest.sdk {
        Sdk::Static if manifest.app_build_command.is_some() => {
            "a static Space whose files are built first: commit the built ones if this host has no builder".to_owned()
        }
        Sdk::Static => "a static Space, which runs here as it is".to_owned(),
        Sdk::Wasm => "a component, which runs here as it is".to_owned(),
        Sdk::Docker | Sdk::Gradio => {
            format!("sdk: {}, which runs in a container where the host has a backend for them", manifest.sdk.as_str())
        }
        Sdk::Plugin(word) => format!("sdk: {}, which runs where the host has a plugin of that name", word.as_str()),
    };
    Ok(Plan { sdk: manifest.sdk, verdict })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_repository_is_understood() {
        let parse = |text: &str| Source::parse(text, "https://hf.example/").unwrap();
        for (text, url, name) in [
            ("hf://spaces/ada/hello", "https://hf.example/spaces/ada/hello", "hello"),
            ("https://example.org/a/b.git", "https://example.org/a/b.git", "b"),
            ("git@example.org:a/b.git", "git@example.org:a/b.git", "b"),
            ("ssh://git@example.org/b/", "ssh://git@example.org/b/", "b"),
        ] {
            assert_eq!(parse(text), Source { url: url.into(), name: name.into() }, "{text}");
        }
        for (text, words) in [
            ("hf://datasets/a/b", "only Spaces"),
            ("nowhere", "neither a folder nor a URL"),
            (env!("CARGO_MANIFEST_DIR"), "spaceport push"),
        ] {
            let refused = Source::parse(text, "").unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }

    #[test]
    fn the_readme_says_how_it_runs() {
        let plan_of = |front: &str| plan(Some(format!("---\n{front}\n---\n").as_bytes()));
        for (front, sdk, words) in [
            ("sdk: static", Sdk::Static, "as it is"),
            ("sdk: static\napp_build_command: npm run build", Sdk::Static, "built first"),
            ("sdk: wasm", Sdk::Wasm, "component"),
            ("sdk: gradio", Sdk::Gradio, "container"),
            ("sdk: docker", Sdk::Docker, "container"),
        ] {
            let plan = plan_of(front).unwrap();
            assert!(plan.sdk == sdk && plan.verdict.contains(words), "{}", plan.verdict);
        }
        assert!(plan(None).unwrap().verdict.contains("no configuration"));
        assert!(plan(Some(b"# only words")).unwrap().verdict.contains("no configuration"));
        assert!(plan_of("sdk: [").is_err());
    }
}
