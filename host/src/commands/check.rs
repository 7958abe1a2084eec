//! `spaceport check`: what the host would say of a component, without a host.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use spaceport_core::limits::COMPONENT;
use spaceport_core::manifest::Manifest;
use spaceport_core::plugin::Plugins;
use spaceport_core::space::Sdk;
use spaceport_engine::Interface;
use spaceport_engine::compile::inspect;

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
        (true, _) => "a plugin, world spaceport:sdk/sdk",
        (false, Interface::Http02) => "an app, wasi:http 0.2 (one request at a time per instance)",
        (false, Interface::Http03) => "an app, wasi:http 0.3 (many requests at a time per instance)",
    };
    writeln!(out, "{}: {fits}, {} KB", path.display(), bytes.len() / 1000)?;
    writeln!(out, "imports:")?;
    for import in &inspection.imports {
        writeln!(out, "  {import}")?;
    }
    Ok(())
}
