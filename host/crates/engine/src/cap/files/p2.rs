//! The functions of `wasi:filesystem` 0.2 that can make a mount larger, move something in it, or keep a thread waiting.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, Filesize, HostDescriptor, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynOutputStream, FsResult, ReaddirIterator};

use super::FilesView;
use super::mark::Mount;
use super::p2_stream::FileStream;
use super::place::{Place, same_mount};
use super::syncing::Flush;
use super::usage::Usage;
use super::write::{self, Location};
use crate::cap::shadow::Shadow;

const TYPES: &str = "wasi:filesystem/types@0.2.12";
const PREOPENS: &str = "wasi:filesystem/preopens@0.2.12";

/// Bytes of one entry of a listing in the host's memory: a name of ordinary length and what surrounds it.
const ENTRY_BYTES: u64 = 96;
/// Entries of a directory in `/app` at most: as many as a revision may have files.
const APP_ENTRIES: u64 = 10_000;

type Fd = Resource<Descriptor>;
type Store<'a, T> = StoreContextMut<'a, T>;

pub(super) fn add_to_linker<T: FilesView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    Shadow::of(linker, PREOPENS)
        .sync("get-directories", |mut store: Store<'_, T>, (): ()| Ok((get_directories(store.data_mut())?,)))?;
    add_writers(&mut Shadow::of(linker, TYPES))?;
    add_names(&mut Shadow::of(linker, TYPES))?;
    add_flushes(&mut Shadow::of(linker, TYPES))
}

fn add_writers<T: FilesView + 'static>(types: &mut Shadow<'_, T>) -> wasmtime::Result<()> {
    types.sync("[method]descriptor.write-via-stream", |mut store: Store<'_, T>, (fd, offset): (Fd, Filesize)| {
        said(stream(store.data_mut(), fd, Location::At(offset)))
    })?;
    types.sync("[method]descriptor.append-via-stream", |mut store: Store<'_, T>, (fd,): (Fd,)| {
        said(stream(store.data_mut(), fd, Location::End))
    })?;
    types.waiting(
        "[method]descriptor.write",
        |mut store: Store<'_, T>, (fd, bytes, offset): (Fd, Vec<u8>, Filesize)| {
            Box::new(async move { said(write(store.data_mut(), fd, bytes, offset).await) })
        },
    )?;
    types.waiting("[method]descriptor.set-size", |mut store: Store<'_, T>, (fd, size): (Fd, Filesize)| {
        Box::new(async move { said(set_size(store.data_mut(), fd, size).await) })
    })
}

fn add_names<T: FilesView + 'static>(types: &mut Shadow<'_, T>) -> wasmtime::Result<()> {
    types.waiting(
        "[method]descriptor.open-at",
        |mut store: Store<'_, T>,
         (fd, follow, path, open, flags): (Fd, PathFlags, String, OpenFlags, DescriptorFlags)| {
            Box::new(async move { said(open_at(store.data_mut(), fd, (follow, path), open, flags).await) })
        },
    )?;
    types.waiting("[method]descriptor.create-directory-at", |mut store: Store<'_, T>, (fd, path): (Fd, String)| {
        Box::new(async move { said(create_directory_at(store.data_mut(), fd, path).await) })
    })?;
    types.waiting(
        "[method]descriptor.symlink-at",
        |mut store: Store<'_, T>, (fd, target, path): (Fd, String, String)| {
            Box::new(async move { said(symlink_at(store.data_mut(), fd, target, path).await) })
        },
    )?;
    types.waiting(
        "[method]descriptor.link-at",
        |mut store: Store<'_, T>, (fd, follow, path, to, to_path): (Fd, PathFlags, String, Fd, String)| {
            Box::new(async move { said(link_at(store.data_mut(), (fd, path), follow, (to, to_path)).await) })
        },
    )?;
    types.waiting(
        "[method]descriptor.rename-at",
        |mut store: Store<'_, T>, (fd, path, to, to_path): (Fd, String, Fd, String)| {
            Box::new(async move { said(rename_at(store.data_mut(), (fd, path), (to, to_path)).await) })
        },
    )?;
    types.waiting("[method]descriptor.unlink-file-at", |mut store: Store<'_, T>, (fd, path): (Fd, String)| {
        Box::new(async move { said(unlink_file_at(store.data_mut(), fd, path).await) })
    })?;
    types.waiting("[method]descriptor.remove-directory-at", |mut store: Store<'_, T>, (fd, path): (Fd, String)| {
        Box::new(async move { said(remove_directory_at(store.data_mut(), fd, path).await) })
    })
}

fn add_flushes<T: FilesView + 'static>(types: &mut Shadow<'_, T>) -> wasmtime::Result<()> {
    types.waiting("[method]descriptor.read-directory", |mut store: Store<'_, T>, (fd,): (Fd,)| {
        Box::new(async move { said(read_directory(store.data_mut(), fd).await) })
    })?;
    types.waiting("[method]descriptor.sync", |mut store: Store<'_, T>, (fd,): (Fd,)| {
        Box::new(async move { said(sync(store.data_mut(), fd, Flush::All).await) })
    })?;
    types.waiting("[method]descriptor.sync-data", |mut store: Store<'_, T>, (fd,): (Fd,)| {
        Box::new(async move { said(sync(store.data_mut(), fd, Flush::Data).await) })
    })
}

/// What the guest is told; what is no error code of its interface ends it.
fn said<R>(outcome: FsResult<R>) -> wasmtime::Result<(Result<R, ErrorCode>,)> {
    Ok((match outcome {
        Ok(value) => Ok(value),
        Err(error) => Err(error.downcast()?),
    },))
}

/// The library's own functions, and the place of a descriptor.
fn at<'a, T: FilesView>(state: &'a mut T, fd: &Fd) -> FsResult<(WasiFilesystemCtxView<'a>, Option<Place>)> {
    let files = state.files().clone();
    let wasi = state.filesystem();
    let place = Place::of(wasi.table.get(fd)?, &files)?;
    Ok((wasi, place))
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

fn stream<T: FilesView>(state: &mut T, fd: Fd, at: Location) -> FsResult<Resource<DynOutputStream>> {
    let (mut wasi, place) = self::at(state, &fd)?;
    match place.as_ref().and_then(|place| Some((place, place.file()?))) {
        Some((place, file)) => {
            let stream: DynOutputStream = Box::new(FileStream::new(place.quota.clone(), file.clone(), at));
            Ok(wasi.table.push(stream)?)
        }
        None => match at {
            Location::At(offset) => wasi.write_via_stream(fd, offset),
            Location::End => wasi.append_via_stream(fd),
        },
    }
}

pub(super) async fn write<T: FilesView>(state: &mut T, fd: Fd, bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
    let (mut wasi, place) = at(state, &fd)?;
    match place.as_ref().and_then(|place| Some((place, place.file()?))) {
        Some((place, file)) => Ok(write::write(&place.quota, file, Location::At(offset), &bytes).await? as Filesize),
        None => wasi.write(fd, bytes, offset).await,
    }
}

async fn set_size<T: FilesView>(state: &mut T, fd: Fd, size: Filesize) -> FsResult<()> {
    let (mut wasi, place) = at(state, &fd)?;
    match place.as_ref().and_then(|place| Some((place, place.file()?))) {
        Some((place, file)) => Ok(write::set_size(&place.quota, file, size).await?),
        None => wasi.set_size(fd, size).await,
    }
}

pub(super) async fn open_at<T: FilesView>(
    state: &mut T,
    fd: Fd,
    (follow, path): (PathFlags, String),
    open: OpenFlags,
    flags: DescriptorFlags,
) -> FsResult<Fd> {
    let (mut wasi, place) = at(state, &fd)?;
    let Some(place) = place else {
        let opened = wasi.open_at(fd, follow, path, open, flags).await?;
        return admit(state, opened);
    };
    // Two may create it at once, and one of them pays in vain; nobody creates it for nothing.
    let creates = open.contains(OpenFlags::CREATE) && wasi.stat_at(again(&fd), follow, path.clone()).await.is_err();
    let permit = place.quota.enter(if creates { Usage::entry(0) } else { Usage::default() }).await?;
    let opened = permit.settle(wasi.open_at(fd, follow, path, open, flags).await)?;
    if open.contains(OpenFlags::TRUNCATE) {
        place.quota.freed();
    }
    place.adopt(wasi.table.get_mut(&opened)?);
    admit(state, opened)
}

/// Counts what was opened; what is too much is closed again.
fn admit<T: FilesView>(state: &mut T, opened: Fd) -> FsResult<Fd> {
    let files = state.files().clone();
    let table = state.filesystem().table;
    if files.opened.admit(table.get(&opened)?) {
        return Ok(opened);
    }
    table.delete(opened)?;
    Err(ErrorCode::InsufficientMemory.into())
}

pub(super) async fn create_directory_at<T: FilesView>(state: &mut T, fd: Fd, path: String) -> FsResult<()> {
    let (mut wasi, place) = at(state, &fd)?;
    match place {
        Some(place) => match place.make_directory(&path).await? {
            Some(()) => Ok(()),
            None => wasi.create_directory_at(fd, path).await,
        },
        None => wasi.create_directory_at(fd, path).await,
    }
}

pub(super) async fn symlink_at<T: FilesView>(state: &mut T, fd: Fd, target: String, path: String) -> FsResult<()> {
    let (mut wasi, place) = at(state, &fd)?;
    let Some(place) = place else { return wasi.symlink_at(fd, target, path).await };
    let permit = place.quota.enter(Usage::entry(target.len() as u64)).await?;
    permit.settle(wasi.symlink_at(fd, target, path).await)
}

pub(super) async fn link_at<T: FilesView>(
    state: &mut T,
    (fd, path): (Fd, String),
    follow: PathFlags,
    (to, to_path): (Fd, String),
) -> FsResult<()> {
    let (_, from_place) = at(state, &fd)?;
    let (mut wasi, place) = at(state, &to)?;
    if !same_mount(from_place.as_ref(), place.as_ref()) {
        return Err(ErrorCode::CrossDevice.into());
    }
    let Some(place) = place else { return wasi.link_at(fd, follow, path, to, to_path).await };
    let permit = place.quota.enter(Usage::entry(0)).await?;
    permit.settle(wasi.link_at(fd, follow, path, to, to_path).await)
}

pub(super) async fn rename_at<T: FilesView>(
    state: &mut T,
    (fd, path): (Fd, String),
    (to, to_path): (Fd, String),
) -> FsResult<()> {
    let (_, from_place) = at(state, &fd)?;
    let (mut wasi, to_place) = at(state, &to)?;
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
    wasi.rename_at(fd, path, to, to_path).await
}

pub(super) async fn unlink_file_at<T: FilesView>(state: &mut T, fd: Fd, path: String) -> FsResult<()> {
    let (mut wasi, place) = at(state, &fd)?;
    wasi.unlink_file_at(fd, path).await?;
    place.inspect(|place| place.quota.freed());
    Ok(())
}

async fn remove_directory_at<T: FilesView>(state: &mut T, fd: Fd, path: String) -> FsResult<()> {
    let (mut wasi, place) = at(state, &fd)?;
    match place {
        Some(place) => match place.remove_directory(&path).await? {
            Some(()) => Ok(()),
            None => wasi.remove_directory_at(fd, path).await,
        },
        None => wasi.remove_directory_at(fd, path).await,
    }
}

async fn sync<T: FilesView>(state: &mut T, fd: Fd, what: Flush) -> FsResult<()> {
    let files = state.files().clone();
    let descriptor = state.filesystem().table.get(&fd)?.clone();
    Ok(files.syncing.flush(descriptor, what).await?)
}

/// The library collects a whole listing at once, so its size is the guest's memory.
async fn read_directory<T: FilesView>(state: &mut T, fd: Fd) -> FsResult<Resource<ReaddirIterator>> {
    let files = state.files().clone();
    let table = state.filesystem().table;
    let entries = match Mount::of(table.get(&fd)?).and_then(|mount| files.quota(mount)) {
        Some(quota) => quota.used().entries,
        None => APP_ENTRIES,
    };
    let listings = table.iter_mut().filter(|entry| entry.is::<ReaddirIterator>()).count() as u64 + 1;
    if !state.hold_listings(listings * entries * ENTRY_BYTES) {
        return Err(ErrorCode::InsufficientMemory.into());
    }
    state.filesystem().read_directory(fd).await
}

/// Opens a directory, as a guest would.
#[cfg(test)]
pub(super) async fn open_directory<T: FilesView>(state: &mut T, fd: Fd, name: &str) -> Fd {
    let (open, flags) = (OpenFlags::DIRECTORY, DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY);
    open_at(state, fd, (PathFlags::empty(), name.to_owned()), open, flags).await.unwrap()
}
