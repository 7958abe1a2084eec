//! The plugins of this host, one for each `sdk:` kind that is served out of repositories: `static-site` out of this
//! program, others out of the operator's folder.
//!
//! The folder is read at the start; administrators install and remove more while the host runs. A plugin in it is somebody
//! else's code: whatever is wrong with one is a line in the log, or a refusal, never the end of the start.

mod store;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use spaceport_core::plugin::{InvalidKind, PluginKind};
use spaceport_core::space::Sdk;
use spaceport_engine::{ArtifactId, CompileError, DescribeError, Engine, Refusal};
use tokio::sync::Mutex;

/// The component that serves static Spaces, built from `plugins/static-site`.
const STATIC_SITE: &[u8] = include_bytes!(env!("SPACEPORT_STATIC_SITE"));
/// Files of the folder that are looked at. Each may hold up the start by its compilation.
const MOST: usize = 32;
/// How the files of components end.
const WASM: &str = "wasm";

/// A plugin that is ready to serve.
pub(super) struct Plugin {
    /// The kind it serves.
    pub(super) sdk: Sdk,
    /// What to launch.
    pub(super) artifact: ArtifactId,
    /// For those of the folder: what they say of themselves, and where they are.
    found: Option<(PluginKind, PathBuf)>,
}

/// Every plugin of this host. Cheap to clone.
#[derive(Clone)]
pub(super) struct Plugins(Arc<Inner>);

struct Inner {
    engine: Arc<Engine>,
    folder: PathBuf,
    /// An empty directory for plugins that are asked what they serve; made when one is asked.
    empty: PathBuf,
    ready: RwLock<Vec<Arc<Plugin>>>,
    /// By which one after the other changes the folder.
    turn: Mutex<()>,
}

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
    /// is where an empty directory is made for plugins that are asked what they serve.
    pub(super) async fn load(engine: Arc<Engine>, folder: &Path, empty: &Path) -> Result<Self, CompileError> {
        let artifact = engine.compile_own(STATIC_SITE).await?;
        let own = Plugin { sdk: Sdk::Static, artifact, found: None };
        let (folder, empty) = (folder.to_owned(), empty.to_owned());
        let ready = RwLock::new(vec![Arc::new(own)]);
        let plugins = Self(Arc::new(Inner { engine, folder, empty, ready, turn: Mutex::default() }));
        plugins.load_folder().await;
        Ok(plugins)
    }

    async fn load_folder(&self) {
        let folder = &self.0.folder;
        let files = files(folder).await.unwrap_or_else(|error| {
            tracing::warn!(folder = %folder.display(), %error, "the plugins' folder cannot be read");
            Vec::new()
        });
        for (number, file) in files.into_iter().enumerate() {
            let loaded = if number < MOST { self.load_file(&file).await } else { Err(Skipped::TooMany) };
            let name = name(&file);
            match loaded.and_then(|plugin| self.add(plugin)) {
                Ok(sdk) => tracing::info!(file = name, sdk = sdk.as_str(), "a plugin is ready"),
                Err(why) => tracing::warn!(file = name, "a plugin is skipped: {}", one_line(&why.to_string())),
            }
        }
    }

    /// The plugin that serves a kind.
    pub(super) fn of(&self, sdk: Sdk) -> Option<Arc<Plugin>> {
        self.0.ready.read().iter().find(|plugin| plugin.sdk == sdk).cloned()
    }

    /// Every plugin.
    pub(super) fn all(&self) -> Vec<Arc<Plugin>> {
        self.0.ready.read().clone()
    }

    fn add(&self, plugin: Plugin) -> Result<Sdk, Skipped> {
        let sdk = plugin.sdk;
        if let Some(first) = self.of(sdk) {
            return Err(Skipped::Taken { word: sdk.into(), first: first.place() });
        }
        self.0.ready.write().push(Arc::new(plugin));
        Ok(sdk)
    }

    async fn load_file(&self, file: &Path) -> Result<Plugin, Skipped> {
        let component = read(file, self.0.engine.component_bytes()).await?;
        let (kind, artifact) = self.prepare(&component).await?;
        Ok(Plugin { sdk: Sdk::Plugin(kind.word), artifact, found: Some((kind, file.to_owned())) })
    }

    /// Compiles a component and asks it what it serves.
    async fn prepare(&self, component: &[u8]) -> Result<(PluginKind, ArtifactId), Skipped> {
        let Inner { engine, empty, .. } = &*self.0;
        if !engine.inspect(component)?.is_plugin() {
            return Err(Skipped::App);
        }
        let artifact = engine.compile(component, &|line| tracing::debug!(line, "a plugin")).await?;
        tokio::fs::create_dir_all(empty).await?;
        let said = engine.describe(artifact, empty).await?;
        Ok((PluginKind::new(&said.sdk, &said.app_file)?, artifact))
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

    /// Where it is, in words.
    fn place(&self) -> String {
        self.found.as_ref().map_or_else(|| "this host".to_owned(), |(_, file)| name(file))
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
        files.extend(Some(entry.path()).filter(|path| path.extension() == Some(OsStr::new(WASM))));
    }
    files.sort();
    Ok(files)
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
