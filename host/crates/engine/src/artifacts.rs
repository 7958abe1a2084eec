//! Compiled components on disk and in memory.
//!
//! An artifact is machine code that this process will run, so it is trusted only with our seal: a keyed hash over its
//! name and content, checked on the very file that is then mapped. Names are content-addressed and cover the engine's
//! configuration: another wasmtime or another setting looks for another name. Files are written aside, synced and
//! renamed, never changed in place, since running code is mapped from them.

mod cache;
mod id;

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Result};
use wasmtime_wasi_http::handler::ProxyPre;
use wasmtime_wasi_http::{p2, p3};

use crate::artifacts::cache::LoadedCache;
pub use crate::artifacts::id::{ArtifactId, InvalidArtifactId};
use crate::state::GuestState;

/// Bytes of a seal.
const SEAL: usize = blake3::OUT_LEN;
/// What a loaded component costs beside its mapped pages: measured 80 KB for 0.27 MB of code, 1.9 MB for 33 MB.
const LOADED_BASE: u64 = 64 << 10;
/// See `LOADED_BASE`.
const LOADED_PER_BYTE: u64 = 16;

/// An artifact cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not there.
    #[error("it is not there")]
    Missing,
    /// It does not bear our seal: it was damaged, or written by somebody else.
    #[error("its seal is broken")]
    Unsealed,
    /// wasmtime does not take it.
    #[error("it was made by another engine: {0}")]
    Foreign(String),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(std::io::Error),
}

impl LoadError {
    fn from_io(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::NotFound { Self::Missing } else { Self::Io(error) }
    }
}

/// A component in memory.
pub(crate) struct Loaded {
    component: Component,
    app: Mutex<Option<Arc<Prepared>>>,
    plugin: Mutex<Option<Arc<Prepared>>>,
    /// What keeping it costs.
    weight: u64,
}

type Prepared = wasmtime::component::InstancePre<GuestState>;

impl Loaded {
    /// The component itself.
    pub(crate) fn component(&self) -> &Component {
        &self.component
    }

    /// The component with its imports resolved; done once per linker.
    pub(crate) fn pre(&self, linker: &Linker<GuestState>, plugin: bool) -> Result<ProxyPre<GuestState>> {
        let mut slot = if plugin { self.plugin.lock() } else { self.app.lock() };
        let pre = match &*slot {
            Some(pre) => pre.clone(),
            None => slot.insert(Arc::new(linker.instantiate_pre(&self.component)?)).clone(),
        };
        drop(slot);
        let pre = Prepared::clone(&pre);
        match p3::bindings::ServiceIndices::new(&pre) {
            Ok(_) => Ok(ProxyPre::P3(p3::bindings::ServicePre::new(pre)?)),
            Err(_) => Ok(ProxyPre::P2(p2::bindings::ProxyPre::new(pre)?)),
        }
    }
}

/// See the module.
pub(crate) struct Artifacts {
    store: Arc<Store>,
    cache: LoadedCache,
}

struct Store {
    engine: Engine,
    dir: PathBuf,
    key: [u8; blake3::KEY_LEN],
    /// Goes into every name.
    compatibility: [u8; blake3::OUT_LEN],
}

impl Artifacts {
    /// Opens the directory, making it if need be, and sweeps what an interrupted compilation left.
    pub(crate) fn open(engine: &Engine, dir: PathBuf, key: [u8; 32], loaded: u64) -> std::io::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        for entry in std::fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                std::fs::remove_file(path)?;
            }
        }
        let compatibility = id::compatibility(engine);
        let store = Arc::new(Store { engine: engine.clone(), dir, key, compatibility });
        Ok(Self { store, cache: LoadedCache::new(loaded) })
    }

    /// The name of a component's artifact for this engine.
    pub(crate) fn id(&self, component: &[u8]) -> ArtifactId {
        id::name(component, &self.store.compatibility)
    }

    /// Where a compiler may write the artifact before it is sealed.
    pub(crate) fn part(&self, id: ArtifactId) -> PathBuf {
        self.store.dir.join(format!("{id}.part"))
    }

    /// Whether an artifact is there and whole.
    pub(crate) async fn has(&self, id: ArtifactId) -> bool {
        self.cache.has(id) || self.blocking(move |store| store.open(id)).await.is_ok()
    }

    /// Seals what a compiler wrote to the part file. Durable when this returns.
    pub(crate) async fn seal(&self, id: ArtifactId) -> Result<(), LoadError> {
        self.blocking(move |store| store.seal(id)).await
    }

    /// The component, from memory or from disk.
    pub(crate) async fn load(&self, id: ArtifactId) -> Result<Arc<Loaded>, LoadError> {
        self.cache.get(id, || self.blocking(move |store| store.load(id))).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, LoadError> + Send + 'static,
    ) -> Result<T, LoadError> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        done.unwrap_or_else(|error| Err(LoadError::Io(std::io::Error::other(error))))
    }
}

impl Store {
    fn file(&self, id: ArtifactId) -> PathBuf {
        self.dir.join(format!("{id}.cwasm"))
    }

    fn seal_file(&self, id: ArtifactId) -> PathBuf {
        self.dir.join(format!("{id}.seal"))
    }

    fn mac(&self, id: ArtifactId, file: &File) -> std::io::Result<blake3::Hash> {
        let mut mac = blake3::Hasher::new_keyed(&self.key);
        mac.update(id.as_bytes());
        mac.update_reader(file)?;
        Ok(mac.finalize())
    }

    fn seal(&self, id: ArtifactId) -> Result<(), LoadError> {
        let part = self.dir.join(format!("{id}.part"));
        let work = || -> std::io::Result<()> {
            let file = File::open(&part)?;
            let mac = self.mac(id, &file)?;
            file.sync_all()?;
            let seal_part = self.dir.join(format!("{id}.seal.part"));
            let mut seal = File::create(&seal_part)?;
            std::io::Write::write_all(&mut seal, mac.as_bytes())?;
            seal.sync_all()?;
            std::fs::rename(&seal_part, self.seal_file(id))?;
            std::fs::rename(&part, self.file(id))?;
            sync_dir(&self.dir)
        };
        work().map_err(LoadError::Io)
    }

    /// The artifact's file, its seal checked.
    fn open(&self, id: ArtifactId) -> Result<File, LoadError> {
        let file = File::open(self.file(id)).map_err(LoadError::from_io)?;
        let mut seal = [0; SEAL];
        File::open(self.seal_file(id)).and_then(|mut file| file.read_exact(&mut seal)).map_err(LoadError::from_io)?;
        let mac = self.mac(id, &file).map_err(LoadError::Io)?;
        // Compares in constant time.
        if mac == blake3::Hash::from_bytes(seal) { Ok(file) } else { Err(LoadError::Unsealed) }
    }

    fn load(&self, id: ArtifactId) -> Result<Arc<Loaded>, LoadError> {
        let file = self.open(id)?;
        let size = file.metadata().map_err(LoadError::Io)?.len();
        let component = self.map(&file).map_err(|error| LoadError::Foreign(format!("{error:#}")))?;
        let weight = LOADED_BASE + size / LOADED_PER_BYTE;
        Ok(Arc::new(Loaded { component, app: Mutex::default(), plugin: Mutex::default(), weight }))
    }

    /// Maps a file whose seal was checked. By its descriptor, so that it is the same file whatever its name leads to
    /// by now.
    #[expect(unsafe_code, reason = "machine code has to be trusted; its seal says that we made it")]
    fn map(&self, file: &File) -> Result<Component> {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        // SAFETY: the file bears the seal of this process's key, which only `seal` gives, to what our own compiler
        // wrote with this configuration; it lies in a directory that only this process writes, and is never changed.
        unsafe { Component::deserialize_file(&self.engine, path) }
    }
}

fn sync_dir(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}
