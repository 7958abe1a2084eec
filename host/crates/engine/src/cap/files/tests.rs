//! Quotas and mounts, without a guest: the functions that guests are linked to are called as the linker would.

mod account;
mod depth;
mod names;
mod p3;
mod signatures;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::{FilesView, SpaceFiles};

/// What a store of the engine has of files.
struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    files: Arc<SpaceFiles>,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl FilesView for State {
    fn files(&self) -> &Arc<SpaceFiles> {
        &self.files
    }

    fn hold_listings(&mut self, _bytes: u64) -> bool {
        true
    }
}

/// The directories of a Space, `/tmp` with 1000 bytes and 10 names, `/data` with 500.
struct Space {
    dir: TempDir,
    files: Arc<SpaceFiles>,
}

const TMP_BYTES: u64 = 1000;
const DATA_BYTES: u64 = 500;
const NAMES: u64 = 10;

impl Space {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["app", "tmp", "data"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("app/file"), "from the repository").unwrap();
        let files = Self::open(dir.path());
        Self { dir, files }
    }

    fn open(dir: &Path) -> Arc<SpaceFiles> {
        SpaceFiles::new(dir.join("tmp"), TMP_BYTES, Some((dir.join("data"), DATA_BYTES)), NAMES).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn state(&self) -> State {
        let mut wasi = WasiCtx::builder();
        wasi.allow_blocking_current_thread(true);
        self.files.preopen(&mut wasi, &self.path("app")).unwrap();
        State { wasi: wasi.build(), table: ResourceTable::new(), files: self.files.clone() }
    }

    fn store(&self) -> Store<State> {
        Store::new(&engine(), self.state())
    }
}

fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    Engine::new(&config).unwrap()
}

fn linker(engine: &Engine) -> Linker<State> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    wasmtime_wasi::p3::add_to_linker(&mut linker).unwrap();
    linker
}

/// The preopen of this name.
fn preopen(directories: Vec<(Resource<Descriptor>, String)>, name: &str) -> Resource<Descriptor> {
    directories.into_iter().find(|(_, path)| path == name).unwrap().0
}

/// The same descriptor for another call.
fn again(fd: &Resource<Descriptor>) -> Resource<Descriptor> {
    Resource::new_borrow(fd.rep())
}

#[test]
fn what_is_not_linked_cannot_be_replaced_unnoticed() {
    let engine = engine();
    super::add_to_linker(&mut linker(&engine)).unwrap();
    let mut only_p2 = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut only_p2).unwrap();
    let error = super::add_to_linker(&mut only_p2).unwrap_err();
    assert!(format!("{error:#}").contains("wasi:filesystem/preopens@0.3.0"), "{error:#}");
}

#[test]
fn this_machine_keeps_paths_below_their_directory() {
    super::verify().unwrap();
}
