//! `spaceport check`: what the host would say of a component, without a host.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use spaceport_core::limits::{Bytes, COMPILE, COMPONENT};
use spaceport_core::manifest::Manifest;
use spaceport_core::plugin::{PluginKind, Plugins};
use spaceport_core::space::Sdk;
use spaceport_engine::compile::inspect;
use spaceport_engine::{Engine, EngineConfig, Interface};

use crate::app::compile_command;

/// Threads for a plugin that is asked what it serves: one that loops must not be all there is.
const ASKING_THREADS: usize = 2;
/// Memory of the engine that asks it: more than a host gives it for that.
const MEMORY: Bytes = Bytes(1 << 30);

/// Checks a component, or the folder of a Space.
pub(super) fn run(path: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    if !path.is_dir() {
        return component(path, &mut out);
    }
    let readme =
        std::fs::read(path.join("README.md")).context("read README.md, which holds the Space's configuration")?;
    let manifest = Manifest::from_readme(&readme, Plugins::Any(&[])).context("read the front matter of README.md")?;
    writeln!(out, "README.md: sdk {}, entry {}", manifest.sdk.as_str(), manifest.app_file)?;
    let entry = path.join(&manifest.app_file);
    if !entry.exists() {
        bail!("{} is missing: the stage would be NO_APP_FILE", manifest.app_file);
    }
    match manifest.sdk {
        Sdk::Wasm => component(&entry, &mut out),
        Sdk::Static => Ok(()),
        Sdk::Plugin(word) => {
            let offered = Sdk::offered_words(Plugins::Only(&[]));
            writeln!(out, "sdk {word} needs a plugin that serves it on the host; every host knows {offered}")?;
            Ok(())
        }
        Sdk::Docker | Sdk::Gradio => bail!("sdk {} needs a container backend on the host", manifest.sdk.as_str()),
    }
}

fn component(path: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let inspection = inspect(&bytes, COMPONENT.0).with_context(|| format!("{} would be refused", path.display()))?;
    let fits = match (inspection.is_plugin(), inspection.interface) {
        (true, _) => {
            let kind = kind(&bytes).with_context(|| format!("{} would be skipped", path.display()))?;
            format!("a plugin for sdk: {}, entry {}, world spaceport:sdk/sdk", kind.word, kind.app_file)
        }
        (false, Interface::Http02) => "an app, wasi:http 0.2 (one request at a time per instance)".to_owned(),
        (false, Interface::Http03) => "an app, wasi:http 0.3 (many requests at a time per instance)".to_owned(),
    };
    writeln!(out, "{}: {fits}, {} KB", path.display(), bytes.len() / 1000)?;
    writeln!(out, "imports:")?;
    for import in &inspection.imports {
        writeln!(out, "  {import}")?;
    }
    Ok(())
}

/// What a plugin serves: it is asked as a host would ask it, by an engine that is gone afterwards.
fn kind(component: &[u8]) -> anyhow::Result<PluginKind> {
    let dir = tempfile::tempdir().context("make a temporary folder")?;
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).context("make a temporary folder")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(ASKING_THREADS).enable_all().build()?;
    let engine = Engine::new(EngineConfig {
        artifacts: dir.path().join("artifacts"),
        // Of artifacts that nobody else ever sees.
        seal_key: [0; 32],
        compile_command: compile_command(),
        component_bytes: COMPONENT.0,
        compile_time: COMPILE,
        node_memory: MEMORY.0,
        data_runtime: runtime.handle().clone(),
    })?;
    runtime.block_on(async {
        let artifact = engine.compile(component, &|_| {}).await?;
        let said = engine.describe(artifact, &empty).await?;
        Ok(PluginKind::new(&said.sdk, &said.app_file)?)
    })
}
