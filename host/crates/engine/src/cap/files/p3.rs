//! The same for `wasi:filesystem` 0.3.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, FutureReader, Linker, Resource, Source, StreamConsumer, StreamReader, StreamResult,
};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemCtxView, WasiFilesystemView};
use wasmtime_wasi::p3::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p3::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, Filesize, HostDescriptorWithStore, OpenFlags, PathFlags,
};
use wasmtime_wasi::p3::filesystem::{FilesystemError, FilesystemResult};

use super::mark::Mount;
use super::place::{Place, same_mount};
use super::quota::{Quota, Usage};
use super::syncing::Flush;
use super::write::{self, Blocked, Location, room, try_write};
use super::{FilesView, SpaceFiles};
use crate::cap::shadow::Shadow;

const TYPES: &str = "wasi:filesystem/types@0.3.0";
const PREOPENS: &str = "wasi:filesystem/preopens@0.3.0";

type Fd = Resource<Descriptor>;
type Store<'a, T> = StoreContextMut<'a, T>;
type Outcome = Result<(), ErrorCode>;

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
            let consumer = FileConsumer { quota: place.quota, file, at, result: Some(result), room: None };
            data.pipe(&mut store, consumer)?;
        }
        Err(code) => {
            data.close(&mut store)?;
            let _ = result.send(Err(code));
        }
    }
    FutureReader::new(&mut store, told)
}

/// Writes what a guest's stream delivers, piece by piece.
struct FileConsumer {
    quota: Arc<Quota>,
    file: Arc<std::fs::File>,
    at: Location,
    result: Option<oneshot::Sender<Outcome>>,
    room: Option<BoxFuture<'static, std::io::Result<()>>>,
}

impl FileConsumer {
    fn end(&mut self, outcome: Outcome) {
        if let Some(result) = self.result.take() {
            let _ = result.send(outcome);
        }
    }

    fn fail(&mut self, error: &std::io::Error) -> Poll<wasmtime::Result<StreamResult>> {
        self.end(Err(error.into()));
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}

impl<D> StreamConsumer<D> for FileConsumer {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = &mut *self;
        let mut source = source.as_direct(store);
        loop {
            match this.room.as_mut().map(|room| room.as_mut().poll(cx)) {
                Some(Poll::Pending) if finish => {
                    this.room = None;
                    return Poll::Ready(Ok(StreamResult::Cancelled));
                }
                Some(Poll::Pending) => return Poll::Pending,
                Some(Poll::Ready(Err(error))) => return this.fail(&error),
                Some(Poll::Ready(Ok(()))) => this.room = None,
                None => {}
            }
            match try_write(&this.quota, &this.file, this.at, source.remaining()) {
                Ok(written) => {
                    source.mark_read(written);
                    this.at.advance(written);
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                Err(Blocked::Failed(error)) => return this.fail(&error),
                Err(Blocked::Full) => {
                    let (quota, file, at) = (this.quota.clone(), this.file.clone(), this.at);
                    this.room = Some(Box::pin(async move { room(&quota, &file, at).await }));
                }
            }
        }
    }
}

impl Drop for FileConsumer {
    fn drop(&mut self) {
        self.end(Ok(()));
    }
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
        return WasiFilesystem::open_at(&wasi(store), fd, follow, path, open, flags).await;
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
        Ok(opened)
    })
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
    let place = place(store, &fd)?;
    WasiFilesystem::remove_directory_at(&wasi(store), fd, path).await?;
    place.inspect(|place| place.quota.freed());
    Ok(())
}

pub(super) async fn sync<T: FilesView>(store: &Accessor<T>, fd: Fd, what: Flush) -> FilesystemResult<()> {
    let file = store.with(|mut access| {
        let state = access.get();
        let files: Arc<SpaceFiles> = state.files().clone();
        match state.filesystem().table.get(&fd).map_err(FilesystemError::trap)? {
            Descriptor::File(file) => FilesystemResult::Ok(Some((files, file.file.clone()))),
            Descriptor::Dir(_) => Ok(None),
        }
    })?;
    match (file, what) {
        (Some((files, file)), what) => Ok(files.syncing.flush(file, what).await?),
        (None, Flush::All) => WasiFilesystem::sync(&wasi(store), fd).await,
        (None, Flush::Data) => WasiFilesystem::sync_data(&wasi(store), fd).await,
    }
}
