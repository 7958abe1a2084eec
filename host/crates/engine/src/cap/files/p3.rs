//! The functions of `wasi:filesystem` 0.3 that the ones of [`super::p2`] are in 0.2: what makes a mount larger, moves something
//! in it, or keeps a thread waiting.

use std::sync::Arc;

use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{Accessor, FutureReader, Linker, Resource, StreamReader};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemCtxView, WasiFilesystemView};
use wasmtime_wasi::p3::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p3::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, Filesize, HostDescriptorWithStore, OpenFlags, PathFlags,
};
use wasmtime_wasi::p3::filesystem::{FilesystemError, FilesystemResult};

use super::mark::Mount;
use super::p3_stream::FileConsumer;
use super::place::{Place, same_mount};
use super::syncing::Flush;
use super::usage::Usage;
use super::write::{self, Location};
use super::{FilesView, SpaceFiles};
use crate::cap::shadow::Shadow;

const TYPES: &str = "wasi:filesystem/types@0.3.0";
const PREOPENS: &str = "wasi:filesystem/preopens@0.3.0";

type Fd = Resource<Descriptor>;
type Store<'a, T> = StoreContextMut<'a, T>;
/// What a guest is told of a stream that it wrote into a file.
pub(super) type Outcome = Result<(), ErrorCode>;

pub(super) fn add_to_linker<T: FilesView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    Shadow::of(linker, PREOPENS)
        .sync("get-directories", |mut store: Store<'_, T>, (): ()| Ok((get_directories(store.data_mut())?,)))?;
    add_writers(&mut Shadow::of(linker, TYPES))?;
    add_names(&mut Shadow::of(linker, TYPES))?;
    add_flushes(&mut Shadow::of(linker, TYPES))
}

fn add_writers<T: FilesView + 'static>(types: &mut Shadow<'_, T>) -> wasmtime::Result<()> {
    types.sync(
        "[method]descriptor.write-via-stream",
        |store: Store<'_, T>, (fd, data, offset): (Fd, StreamReader<u8>, Filesize)| {
            Ok((consume(store, &fd, data, Location::At(offset))?,))
        },
    )?;
    types.sync("[method]descriptor.append-via-stream", |store: Store<'_, T>, (fd, data): (Fd, StreamReader<u8>)| {
        Ok((consume(store, &fd, data, Location::End)?,))
    })?;
    types.concurrent("[method]descriptor.set-size", |store: &Accessor<T>, (fd, size): (Fd, Filesize)| {
        Box::pin(async move { said(set_size(store, fd, size).await) })
    })
}

fn add_names<T: FilesView + 'static>(types: &mut Shadow<'_, T>) -> wasmtime::Result<()> {
    types.concurrent(
        "[method]descriptor.open-at",
        |store: &Accessor<T>, (fd, follow, path, open, flags): (Fd, PathFlags, String, OpenFlags, DescriptorFlags)| {
            Box::pin(async move { said(open_at(store, fd, (follow, path), open, flags).await) })
        },
    )?;
    types.concurrent("[method]descriptor.create-directory-at", |store: &Accessor<T>, (fd, path): (Fd, String)| {
        Box::pin(async move { said(create_directory_at(store, fd, path).await) })
    })?;
    types.concurrent(
        "[method]descriptor.symlink-at",
        |store: &Accessor<T>, (fd, target, path): (Fd, String, String)| {
            Box::pin(async move { said(symlink_at(store, fd, target, path).await) })
        },
    )?;
    types.concurrent(
        "[method]descriptor.link-at",
        |store: &Accessor<T>, (fd, follow, path, to, to_path): (Fd, PathFlags, String, Fd, String)| {
            Box::pin(async move { said(link_at(store, (fd, path), follow, (to, to_path)).await) })
        },
    )?;
    types.concurrent(
        "[method]descriptor.rename-at",
        |store: &Accessor<T>, (fd, path, to, to_path): (Fd, String, Fd, String)| {
            Box::pin(async move { said(rename_at(store, (fd, path), (to, to_path)).await) })
        },
    )?;
    types.concurrent("[method]descriptor.unlink-file-at", |store: &Accessor<T>, (fd, path): (Fd, String)| {
        Box::pin(async move { said(unlink_file_at(store, fd, path).await) })
    })?;
    types.concurrent("[method]descriptor.remove-directory-at", |store: &Accessor<T>, (fd, path): (Fd, String)| {
        Box::pin(async move { said(remove_directory_at(store, fd, path).await) })
    })
}

fn add_flushes<T: FilesView + 'static>(types: &mut Shadow<'_, T>) -> wasmtime::Result<()> {
    types.concurrent("[method]descriptor.sync", |store: &Accessor<T>, (fd,): (Fd,)| {
        Box::pin(async move { said(sync(store, fd, Flush::All).await) })
    })?;
    types.concurrent("[method]descriptor.sync-data", |store: &Accessor<T>, (fd,): (Fd,)| {
        Box::pin(async move { said(sync(store, fd, Flush::Data).await) })
    })
}

/// What the guest is told; what is no error code of its interface ends it.
fn said<R>(outcome: FilesystemResult<R>) -> wasmtime::Result<(Result<R, ErrorCode>,)> {
    Ok((match outcome {
        Ok(value) => Ok(value),
        Err(error) => Err(error.downcast()?),
    },))
}

/// The library's own functions.
fn wasi<T: FilesView>(store: &Accessor<T>) -> Accessor<T, WasiFilesystem> {
    fn view<T: FilesView>(state: &mut T) -> WasiFilesystemCtxView<'_> {
        state.filesystem()
    }
    store.with_getter::<WasiFilesystem>(view::<T>)
}

fn place_of<T: FilesView>(state: &mut T, fd: &Fd) -> FilesystemResult<Option<Place>> {
    let files = state.files().clone();
    let descriptor = state.filesystem().table.get(fd).map_err(FilesystemError::trap)?;
    Ok(Place::of(descriptor, &files)?)
}

fn place<T: FilesView>(store: &Accessor<T>, fd: &Fd) -> FilesystemResult<Option<Place>> {
    store.with(|mut access| place_of(access.get(), fd))
}

/// The same descriptor for one more call.
fn again(fd: &Fd) -> Fd {
    Resource::new_borrow(fd.rep())
}

pub(super) fn get_directories<T: FilesView>(state: &mut T) -> wasmtime::Result<Vec<(Fd, String)>> {
    let mut wasi = state.filesystem();
    let directories = wasi.get_directories()?;
    for (fd, name) in &directories {
        if let Some(mount) = Mount::of_preopen(name) {
            mount.mark(wasi.table.get_mut(fd)?);
        }
    }
    Ok(directories)
}

pub(super) fn consume<T: FilesView + 'static>(
    mut store: Store<'_, T>,
    fd: &Fd,
    mut data: StreamReader<u8>,
    at: Location,
) -> wasmtime::Result<FutureReader<Outcome>> {
    let (result, told) = oneshot::channel();
    let place = match place_of(store.data_mut(), fd) {
        Ok(Some(place)) => place.file().cloned().map(|file| (place, file)).ok_or(ErrorCode::BadDescriptor),
        Ok(None) => Err(ErrorCode::NotPermitted),
        Err(error) => Err(error.downcast()?),
    };
    match place {
        Ok((place, file)) => {
            data.pipe(&mut store, FileConsumer::new(place.quota, file, at, result))?;
        }
        Err(code) => {
            data.close(&mut store)?;
            let _ = result.send(Err(code));
        }
    }
    FutureReader::new(&mut store, told)
}

pub(super) async fn set_size<T: FilesView>(store: &Accessor<T>, fd: Fd, size: Filesize) -> FilesystemResult<()> {
    let place = place(store, &fd)?;
    match place.as_ref().and_then(|place| Some((place, place.file()?))) {
        Some((place, file)) => Ok(write::set_size(&place.quota, file, size).await?),
        None => WasiFilesystem::set_size(&wasi(store), fd, size).await,
    }
}

pub(super) async fn open_at<T: FilesView>(
    store: &Accessor<T>,
    fd: Fd,
    (follow, path): (PathFlags, String),
    open: OpenFlags,
    flags: DescriptorFlags,
) -> FilesystemResult<Fd> {
    let Some(place) = place(store, &fd)? else {
        let opened = WasiFilesystem::open_at(&wasi(store), fd, follow, path, open, flags).await?;
        return store.with(|mut access| admit(access.get(), opened));
    };
    // Two may create it at once, and one of them pays in vain; nobody creates it for nothing.
    let creates = open.contains(OpenFlags::CREATE)
        && WasiFilesystem::stat_at(&wasi(store), again(&fd), follow, path.clone()).await.is_err();
    let permit = place.quota.enter(if creates { Usage::entry(0) } else { Usage::default() }).await?;
    let opened = permit.settle(WasiFilesystem::open_at(&wasi(store), fd, follow, path, open, flags).await)?;
    if open.contains(OpenFlags::TRUNCATE) {
        place.quota.freed();
    }
    store.with(|mut access| {
        place.adopt(access.get().filesystem().table.get_mut(&opened).map_err(FilesystemError::trap)?);
        admit(access.get(), opened)
    })
}

/// Counts what was opened; what is too much is closed again.
fn admit<T: FilesView>(state: &mut T, opened: Fd) -> FilesystemResult<Fd> {
    let files = state.files().clone();
    let table = state.filesystem().table;
    if files.opened.admit(table.get(&opened).map_err(FilesystemError::trap)?) {
        return Ok(opened);
    }
    table.delete(opened).map_err(FilesystemError::trap)?;
    Err(ErrorCode::InsufficientMemory.into())
}

pub(super) async fn create_directory_at<T: FilesView>(
    store: &Accessor<T>,
    fd: Fd,
    path: String,
) -> FilesystemResult<()> {
    if let Some(place) = place(store, &fd)?
        && place.make_directory(&path).await?.is_some()
    {
        return Ok(());
    }
    WasiFilesystem::create_directory_at(&wasi(store), fd, path).await
}

pub(super) async fn symlink_at<T: FilesView>(
    store: &Accessor<T>,
    fd: Fd,
    target: String,
    path: String,
) -> FilesystemResult<()> {
    let Some(place) = place(store, &fd)? else {
        return WasiFilesystem::symlink_at(&wasi(store), fd, target, path).await;
    };
    let permit = place.quota.enter(Usage::entry(target.len() as u64)).await?;
    permit.settle(WasiFilesystem::symlink_at(&wasi(store), fd, target, path).await)
}

pub(super) async fn link_at<T: FilesView>(
    store: &Accessor<T>,
    (fd, path): (Fd, String),
    follow: PathFlags,
    (to, to_path): (Fd, String),
) -> FilesystemResult<()> {
    let (from_place, to_place) = (place(store, &fd)?, place(store, &to)?);
    if !same_mount(from_place.as_ref(), to_place.as_ref()) {
        return Err(ErrorCode::CrossDevice.into());
    }
    let Some(place) = to_place else {
        return WasiFilesystem::link_at(&wasi(store), fd, follow, path, to, to_path).await;
    };
    let permit = place.quota.enter(Usage::entry(0)).await?;
    permit.settle(WasiFilesystem::link_at(&wasi(store), fd, follow, path, to, to_path).await)
}

pub(super) async fn rename_at<T: FilesView>(
    store: &Accessor<T>,
    (fd, path): (Fd, String),
    (to, to_path): (Fd, String),
) -> FilesystemResult<()> {
    let (from_place, to_place) = (place(store, &fd)?, place(store, &to)?);
    if !same_mount(from_place.as_ref(), to_place.as_ref()) {
        return Err(ErrorCode::CrossDevice.into());
    }
    let _still = match (from_place, to_place) {
        (Some(from), Some(there)) => match from.rename(&path, &there, &to_path).await? {
            Some(still) => Some(still),
            None => return Ok(()),
        },
        _ => None,
    };
    WasiFilesystem::rename_at(&wasi(store), fd, path, to, to_path).await
}

pub(super) async fn unlink_file_at<T: FilesView>(store: &Accessor<T>, fd: Fd, path: String) -> FilesystemResult<()> {
    let place = place(store, &fd)?;
    WasiFilesystem::unlink_file_at(&wasi(store), fd, path).await?;
    place.inspect(|place| place.quota.freed());
    Ok(())
}

pub(super) async fn remove_directory_at<T: FilesView>(
    store: &Accessor<T>,
    fd: Fd,
    path: String,
) -> FilesystemResult<()> {
    if let Some(place) = place(store, &fd)?
        && place.remove_directory(&path).await?.is_some()
    {
        return Ok(());
    }
    WasiFilesystem::remove_directory_at(&wasi(store), fd, path).await
}

pub(super) async fn sync<T: FilesView>(store: &Accessor<T>, fd: Fd, what: Flush) -> FilesystemResult<()> {
    let (files, descriptor) = store.with(|mut access| {
        let state = access.get();
        let files: Arc<SpaceFiles> = state.files().clone();
        let descriptor: &Descriptor = state.filesystem().table.get(&fd).map_err(FilesystemError::trap)?;
        FilesystemResult::Ok((files, descriptor.clone()))
    })?;
    Ok(files.syncing.flush(descriptor, what).await?)
}
