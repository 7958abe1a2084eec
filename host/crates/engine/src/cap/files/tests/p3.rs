//! The functions of 0.3, called in a store's event loop.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{Accessor, FutureConsumer, Source, StreamReader};
use wasmtime_wasi::p3::bindings::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

use super::super::Usage;
use super::super::p3;
use super::super::write::Location;
use super::*;

type Outcome = Result<(), ErrorCode>;

/// The codes compare by their text alone.
fn code<R>(outcome: Result<R, ErrorCode>) -> Option<String> {
    outcome.err().map(|code| format!("{code:?}"))
}

/// Passes on what a future of the guest's side says.
struct Told(Option<oneshot::Sender<Outcome>>);

impl FutureConsumer<State> for Told {
    type Item = Outcome;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        store: StoreContextMut<'_, State>,
        mut source: Source<'_, Outcome>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut said = None;
        source.read(store, &mut said)?;
        if let (Some(said), Some(tell)) = (said, self.0.take()) {
            let _ = tell.send(said);
        }
        Poll::Ready(Ok(()))
    }
}

async fn open(
    store: &Accessor<State>,
    fd: &Resource<Descriptor>,
    name: &str,
) -> Result<Resource<Descriptor>, ErrorCode> {
    let (open, flags) = (OpenFlags::CREATE, DescriptorFlags::READ | DescriptorFlags::WRITE);
    p3::open_at(store, again(fd), (PathFlags::SYMLINK_FOLLOW, name.to_owned()), open, flags)
        .await
        .map_err(|error| error.downcast().unwrap())
}

async fn write(store: &Accessor<State>, fd: &Resource<Descriptor>, at: Location, bytes: usize) -> Outcome {
    let (tell, told) = oneshot::channel();
    store.with(|mut access| {
        let data = StreamReader::new(&mut access, vec![b'x'; bytes]).unwrap();
        let outcome = p3::consume(wasmtime::AsContextMut::as_context_mut(&mut access), fd, data, at).unwrap();
        outcome.pipe(&mut access, Told(Some(tell))).unwrap();
    });
    told.await.unwrap()
}

fn directory(store: &Accessor<State>, name: &str) -> Resource<Descriptor> {
    store.with(|mut access| preopen(p3::get_directories(access.get()).unwrap(), name))
}

#[tokio::test]
async fn a_stream_writes_to_the_last_byte_and_then_fails() {
    let space = Space::new();
    let path = space.path("tmp/file");
    let mut store = space.store();
    store
        .run_concurrent(async |store| {
            let tmp = directory(store, "/tmp");
            let file = open(store, &tmp, "file").await.unwrap();
            assert_eq!(code(write(store, &file, Location::At(0), 600).await), None);
            assert_eq!(code(write(store, &file, Location::At(0), 600).await), None, "over what is there");
            assert_eq!(
                code(write(store, &file, Location::End, 500).await).as_deref(),
                Some("ErrorCode::InsufficientSpace")
            );
            assert_eq!(std::fs::metadata(&path).unwrap().len(), TMP_BYTES);
            p3::unlink_file_at(store, again(&tmp), "file".into()).await.unwrap();
            store.with(|mut access| access.get().table.delete(file).unwrap());
            let file = open(store, &tmp, "other").await.unwrap();
            assert_eq!(code(write(store, &file, Location::End, 900).await), None, "a removed file is room again");
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_read_only_is_not_written_to() {
    let space = Space::new();
    let mut store = space.store();
    store
        .run_concurrent(async |store| {
            let app = directory(store, "/app");
            assert_eq!(code(open(store, &app, "new").await).as_deref(), Some("ErrorCode::NotPermitted"));
            let flags = DescriptorFlags::READ;
            let follow = (PathFlags::empty(), "file".to_owned());
            let file = p3::open_at(store, again(&app), follow, OpenFlags::empty(), flags).await.unwrap();
            assert_eq!(code(write(store, &file, Location::At(0), 1).await).as_deref(), Some("ErrorCode::NotPermitted"));
            let error = p3::set_size(store, again(&file), 0).await.unwrap_err();
            assert!(matches!(error.downcast().unwrap(), ErrorCode::NotPermitted));
        })
        .await
        .unwrap();
    assert_eq!(std::fs::read_to_string(space.path("app/file")).unwrap(), "from the repository");
}

#[tokio::test]
async fn names_are_counted_and_stay_in_their_mount() {
    let space = Space::new();
    let mut store = space.store();
    store
        .run_concurrent(async |store| {
            let (tmp, data) = (directory(store, "/tmp"), directory(store, "/data"));
            open(store, &tmp, "file").await.unwrap();
            p3::create_directory_at(store, again(&tmp), "dir".into()).await.unwrap();
            p3::symlink_at(store, again(&tmp), "0123456789".into(), "link".into()).await.unwrap();
            let to = (again(&tmp), "hard".to_owned());
            p3::link_at(store, (again(&tmp), "file".into()), PathFlags::empty(), to).await.unwrap();
            p3::rename_at(store, (again(&tmp), "hard".into()), (again(&tmp), "dir/hard".into())).await.unwrap();
            p3::rename_at(store, (again(&tmp), "dir".into()), (again(&tmp), "moved".into())).await.unwrap();
            let moved = p3::rename_at(store, (again(&tmp), "file".into()), (again(&data), "file".into())).await;
            assert!(matches!(moved.unwrap_err().downcast().unwrap(), ErrorCode::CrossDevice));
            for n in 4..NAMES {
                p3::create_directory_at(store, again(&tmp), n.to_string()).await.unwrap();
            }
            assert_eq!(code(open(store, &tmp, "more").await).as_deref(), Some("ErrorCode::InsufficientSpace"));
            p3::remove_directory_at(store, again(&tmp), "4".into()).await.unwrap();
            open(store, &tmp, "more").await.expect("a removed name is free again");
            p3::sync(store, again(&tmp), super::super::syncing::Flush::All).await.unwrap();
        })
        .await
        .unwrap();
    assert_eq!(space.files.tmp_usage(), Usage { bytes: 10, entries: NAMES });
}
