//! Plugins that administrators install and remove while the host runs: files of the folder, as those that are read at the
//! start.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use spaceport_control::ports::{PluginError, PluginStore};
use spaceport_core::plugin::{PluginKind, PluginWord};
use spaceport_core::space::Sdk;
use spaceport_engine::{CompileError, DescribeError, StartError};

use super::{MOST, Plugin, Plugins, Skipped, WASM, files, name, one_line};

impl PluginStore for Plugins {
    fn install(&self, component: Bytes) -> BoxFuture<'static, Result<PluginKind, PluginError>> {
        self.clone().install(component).boxed()
    }

    fn remove(&self, word: PluginWord) -> BoxFuture<'static, Result<(), PluginError>> {
        self.clone().give_up(word).boxed()
    }
}

impl Plugins {
    async fn install(self, component: Bytes) -> Result<PluginKind, PluginError> {
        let _turn = self.0.turn.lock().await;
        let (kind, artifact) = self.prepare(&component).await.map_err(refused)?;
        let sdk = Sdk::Plugin(kind.word);
        let file = self.place_for(&kind).await?;
        let (folder, to) = (self.0.folder.clone(), file.clone());
        let kept = tokio::task::spawn_blocking(move || keep(&folder, &to, &component)).await;
        kept.map_err(io::Error::other).flatten().map_err(|error| broken("keep", &file, &error))?;
        let plugin = Arc::new(Plugin { sdk, artifact, found: Some((kind.clone(), file.clone())) });
        {
            let mut ready = self.0.ready.write();
            match ready.iter_mut().find(|there| there.sdk == sdk) {
                Some(there) => *there = plugin,
                None => ready.push(plugin),
            }
        }
        tracing::info!(file = name(&file), sdk = sdk.as_str(), "a plugin is installed");
        Ok(kind)
    }

    /// The file of the plugin that serves this kind now, or a new one.
    async fn place_for(&self, kind: &PluginKind) -> Result<PathBuf, PluginError> {
        if let Some(there) = self.of(Sdk::Plugin(kind.word)) {
            return there
                .found
                .as_ref()
                .map(|(_, file)| file.clone())
                .ok_or_else(|| PluginError::Conflict(format!("sdk: {} is served by this host itself", kind.word)));
        }
        let folder = &self.0.folder;
        let files = files(folder).await.map_err(|error| broken("read", folder, &error))?;
        let file = folder.join(kind.word.as_str()).with_extension(WASM);
        if files.contains(&file) {
            let message = format!(
                "{} in the folder of plugins is a file that does not serve sdk: {}: remove it first",
                name(&file),
                kind.word
            );
            return Err(PluginError::Conflict(message));
        }
        if files.len() >= MOST {
            let message = format!("There are {} files in the folder of plugins, and {MOST} are the most", files.len());
            return Err(PluginError::Conflict(message));
        }
        Ok(file)
    }

    async fn give_up(self, word: PluginWord) -> Result<(), PluginError> {
        let _turn = self.0.turn.lock().await;
        let sdk = Sdk::Plugin(word);
        let Some(plugin) = self.of(sdk) else { return Ok(()) };
        let Some((_, file)) = plugin.found.clone() else { return Ok(()) };
        let (folder, gone) = (self.0.folder.clone(), file.clone());
        let removed = tokio::task::spawn_blocking(move || remove(&folder, &gone)).await;
        removed.map_err(io::Error::other).flatten().map_err(|error| broken("remove", &file, &error))?;
        self.0.ready.write().retain(|there| there.sdk != sdk);
        tracing::info!(file = name(&file), sdk = sdk.as_str(), "a plugin is removed");
        Ok(())
    }
}

/// Writes the file of a plugin whole, durably: after a power cut it is the old one, the new one, or none where none was.
fn keep(folder: &Path, file: &Path, component: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // Of another name than the files that are looked at.
    let mut aside = tempfile::Builder::new().prefix(".installed-").tempfile_in(folder)?;
    aside.write_all(component)?;
    aside.as_file().sync_all()?;
    aside.persist(file)?;
    fs::File::open(folder)?.sync_all()
}

fn remove(folder: &Path, file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::File::open(folder)?.sync_all()
}

/// What is wrong with a component that somebody sends, and whose fault that is.
fn refused(why: Skipped) -> PluginError {
    let text = one_line(&why.to_string());
    match why {
        Skipped::Compile(CompileError::Refused(_)) => PluginError::Refused(text),
        Skipped::Read(_) | Skipped::Compile(_) => PluginError::Host(text),
        Skipped::Describe(DescribeError::Start(StartError::Files(_) | StartError::Recompile(_))) => {
            PluginError::Host(text)
        }
        _ => PluginError::Refused(text),
    }
}

fn broken(attempt: &str, file: &Path, error: &io::Error) -> PluginError {
    PluginError::Host(format!("{attempt} {}: {error}", file.display()))
}
