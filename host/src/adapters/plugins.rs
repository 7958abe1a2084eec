//! The plugins of this host, one for each `sdk:` kind that is served out of repositories: `static-site` out of this
//! program, others out of the operator's folder.
//!
//! The folder is read once, at the start. A plugin in it is somebody else's code: whatever is wrong with one is a line in
//! the log, never the end of the start.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use spaceport_core::plugin::{InvalidKind, PluginKind};
use spaceport_core::space::Sdk;
use spaceport_engine::{ArtifactId, CompileError, DescribeError, Engine, Refusal};

/// The component that serves static Spaces, built from `plugins/static-site`.
const STATIC_SITE: &[u8] = include_bytes!(env!("SPACEPORT_STATIC_SITE"));
/// Files of the folder that are looked at. Each may hold up the start by its compilation.
const MOST: usize = 32;

/// A plugin that is ready to serve.
pub(super) struct Plugin {
    /// The kind it serves.
    pub(super) sdk: Sdk,
    /// What to launch.
    pub(super) artifact: ArtifactId,
    /// For those of the folder: what they say of themselves, and where they are.
    found: Option<(PluginKind, PathBuf)>,
}

/// Every plugin of this host.
pub(super) struct Plugins(Vec<Plugin>);

/// Why a file of the folder is no plugin of this host.
#[derive(Debug, thiserror::Error)]
enum Skipped {
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("it is no file")]
    NotAFile,
    #[error("{MOST} files are looked at, and it comes after them")]
    TooMany,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("it is an app: a plugin exports spaceport:sdk/kind@0.1")]
    App,
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Describe(#[from] DescribeError),
    #[error("what it says of itself is not accepted: {0}")]
    Kind(#[from] InvalidKind),
    #[error("sdk: {word} is served by {first} already")]
    Taken { word: String, first: String },
}

impl Plugins {
    /// Prepares the embedded plugin and those of the folder, which compiles what this host has not seen before. `empty`
    /// is an empty directory for plugins that are asked what they serve.
    pub(super) async fn load(engine: &Engine, folder: &Path, empty: &Path) -> Result<Self, CompileError> {
        let artifact = engine.compile_own(STATIC_SITE).await?;
        let mut plugins = Self(vec![Plugin { sdk: Sdk::Static, artifact, found: None }]);
        let files = files(folder).await.unwrap_or_else(|error| {
            tracing::warn!(folder = %folder.display(), %error, "the plugins' folder cannot be read");
            Vec::new()
        });
        for (number, file) in files.into_iter().enumerate() {
            let loaded = if number < MOST { load(engine, &file, empty).await } else { Err(Skipped::TooMany) };
            let name = name(&file);
            match loaded.and_then(|plugin| plugins.add(plugin)) {
                Ok(sdk) => tracing::info!(file = name, sdk = sdk.as_str(), "a plugin is ready"),
                Err(why) => tracing::warn!(file = name, "a plugin is skipped: {}", one_line(&why.to_string())),
            }
        }
        Ok(plugins)
    }

    /// The plugin that serves a kind.
    pub(super) fn of(&self, sdk: Sdk) -> Option<&Plugin> {
        self.0.iter().find(|plugin| plugin.sdk == sdk)
    }

    /// Every plugin.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Plugin> {
        self.0.iter()
    }

    fn add(&mut self, plugin: Plugin) -> Result<Sdk, Skipped> {
        let sdk = plugin.sdk;
        if let Some(first) = self.of(sdk) {
            let first = first.found.as_ref().map_or_else(|| "this host".to_owned(), |(_, file)| name(file));
            return Err(Skipped::Taken { word: sdk.into(), first });
        }
        self.0.push(plugin);
        Ok(sdk)
    }
}

impl Plugin {
    /// What it says of itself, if not every host has it.
    pub(super) fn kind(&self) -> Option<&PluginKind> {
        self.found.as_ref().map(|(kind, _)| kind)
    }

    /// Compiles it again, its artifact being gone or damaged. Of a file that was exchanged nobody knows what it serves.
    pub(super) async fn compile_again(&self, engine: &Engine) -> Result<ArtifactId, String> {
        let compiled = match &self.found {
            None => engine.compile_own(STATIC_SITE).await,
            Some((_, file)) => {
                let component = read(file, engine.component_bytes()).await;
                let component = component.map_err(|error| format!("{}: {error}", name(file)))?;
                engine.compile(&component, &|_| {}).await
            }
        };
        let artifact = compiled.map_err(|error| error.to_string())?;
        match artifact == self.artifact {
            true => Ok(artifact),
            false => Err(format!("the plugin for sdk: {} was exchanged while this host ran", self.sdk.as_str())),
        }
    }
}

/// The components of the folder, by name; none if there is no such folder.
async fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = match tokio::fs::read_dir(folder).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        files.extend(Some(entry.path()).filter(|path| path.extension() == Some(OsStr::new("wasm"))));
    }
    files.sort();
    Ok(files)
}

async fn load(engine: &Engine, file: &Path, empty: &Path) -> Result<Plugin, Skipped> {
    let component = read(file, engine.component_bytes()).await?;
    if !engine.inspect(&component)?.is_plugin() {
        return Err(Skipped::App);
    }
    let artifact = engine.compile(&component, &|line| tracing::debug!(line, "a plugin")).await?;
    let said = engine.describe(artifact, empty).await?;
    let kind = PluginKind::new(&said.sdk, &said.app_file)?;
    Ok(Plugin { sdk: Sdk::Plugin(kind.word), artifact, found: Some((kind, file.to_owned())) })
}

async fn read(file: &Path, limit: u64) -> Result<Vec<u8>, Skipped> {
    let metadata = tokio::fs::metadata(file).await?;
    // Opening a pipe would wait for ever.
    if !metadata.is_file() {
        return Err(Skipped::NotAFile);
    }
    let size = metadata.len();
    if size > limit {
        return Err(Refusal::TooLarge { size, limit }.into());
    }
    Ok(tokio::fs::read(file).await?)
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A reason that may quote a guest or a compiler, as one line of the log.
fn one_line(reason: &str) -> String {
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(one_line("it is broken:\n  at offset 3\r\n"), "it is broken: at offset 3");
    }
}
