//! Files of a Space's revision that the host sends in the guest's place.
//!
//! The guest names a path, the directory capability decides what it can mean: nothing outside the revision can be opened
//! through it, whatever links the repository holds. Regular files only, and opening never blocks on one that is not.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use cap_std::fs::{OpenOptions, OpenOptionsExt};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use spaceport_control::ports::{Body, BodyError, Mount};
use tokio::task::{JoinHandle, spawn_blocking};

use super::budget::Budget;

/// Bytes read at a time for a visitor: what one response holds of the file in memory.
const CHUNK: u64 = 64 << 10;

/// A file that was opened for a response.
pub(super) struct Opened {
    /// Its length.
    pub(super) length: u64,
    /// A tag made of what the file system says, for guests that give none.
    pub(super) tag: String,
    /// What there is of it.
    pub(super) content: Content,
}

/// The bytes of an opened file.
pub(super) enum Content {
    /// All of them, in memory.
    Whole(Bytes),
    /// To be read.
    File(Arc<File>),
}

/// Opens the file at `path` beneath the revision's directory; reads it at once if it has at most `read_whole` bytes and
/// there is room for them.
pub(super) async fn open(app: &Mount, path: String, read_whole: u64, budget: &Arc<Budget>) -> io::Result<Opened> {
    let (dir, budget) = (app.dir.clone(), budget.clone());
    let task = spawn_blocking(move || {
        let mut options = OpenOptions::new();
        // A FIFO would otherwise hold the thread until somebody writes to it.
        options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        let file = dir.open_with(path.trim_start_matches('/'), &options)?.into_std();
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let length = metadata.len();
        let tag = format!(
            "\"{length:x}-{:x}\"",
            i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
        );
        let room = if length <= read_whole { budget.room(length) } else { None };
        let content = match room {
            Some(room) => Content::Whole(room.hold(read(&file, 0..length)?)),
            None => Content::File(Arc::new(file)),
        };
        Ok(Opened { length, tag, content })
    });
    task.await.map_err(io::Error::other)?
}

/// Exactly these bytes; a file that turns out shorter is an error, not a shorter answer.
fn read(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut buffer = vec![0; length];
    file.read_exact_at(&mut buffer, range.start)?;
    Ok(buffer.into())
}

/// A part of a body made of a file and of text around its parts.
pub(super) enum Segment {
    /// Text.
    Text(Bytes),
    /// Bytes of the file.
    Part(Range<u64>),
}

impl Segment {
    /// Its length in the body.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Part(range) => range.end - range.start,
        }
    }
}

/// A body of segments, read as it is sent.
pub(super) fn body(file: Arc<File>, segments: Vec<Segment>) -> Body {
    FileBody { left: segments.iter().map(Segment::length).sum(), file, segments: segments.into(), reading: None }
        .boxed_unsync()
}

struct FileBody {
    file: Arc<File>,
    segments: VecDeque<Segment>,
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileBody {
    /// Begins to read the next chunk ahead of being asked for it.
    fn read_on(&mut self) {
        if let Some(Segment::Part(range)) = self.segments.front_mut() {
            let chunk = range.start..range.end.min(range.start + CHUNK);
            range.start = chunk.end;
            if range.is_empty() {
                self.segments.pop_front();
            }
            let file = self.file.clone();
            self.reading = Some(spawn_blocking(move || read(&file, chunk)));
        }
    }

    fn send(&mut self, data: Bytes) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.left = self.left.saturating_sub(data.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(reading) = &mut self.reading {
                let read = ready!(Pin::new(reading).poll(cx));
                self.reading = None;
                let data = match read {
                    Ok(Ok(data)) => data,
                    Ok(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                };
                self.read_on();
                return self.send(data);
            }
            match self.segments.front() {
                None => return Poll::Ready(None),
                Some(Segment::Part(range)) if range.is_empty() => {
                    self.segments.pop_front();
                }
                Some(Segment::Part(_)) => self.read_on(),
                Some(Segment::Text(text)) => {
                    let text = text.clone();
                    self.segments.pop_front();
                    return self.send(text);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use cap_std::ambient_authority;
    use cap_std::fs::Dir;

    use super::*;

    fn mount(path: &Path) -> Mount {
        Mount { path: path.to_owned(), dir: Arc::new(Dir::open_ambient_dir(path, ambient_authority()).unwrap()) }
    }

    fn budget() -> Arc<Budget> {
        Arc::new(Budget::new(0))
    }

    #[tokio::test]
    async fn only_regular_files_of_the_revision_are_opened() {
        let root = tempfile::tempdir().unwrap();
        let app = root.path().join("app");
        std::fs::create_dir_all(app.join("sub")).unwrap();
        std::fs::write(root.path().join("secret"), "secret").unwrap();
        std::fs::write(app.join("sub/file"), "inside").unwrap();
        std::os::unix::fs::symlink("../secret", app.join("out")).unwrap();
        std::os::unix::fs::symlink(root.path().join("secret"), app.join("far-out")).unwrap();
        std::os::unix::fs::symlink("sub/file", app.join("within")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, app.join("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let app = mount(&app);
        for path in ["sub/file", "/sub/file", "within", "sub/../sub/file"] {
            let opened = open(&app, path.into(), CHUNK, &budget()).await.unwrap();
            assert!(matches!(opened.content, Content::Whole(bytes) if bytes == "inside"), "{path}");
        }
        for path in ["../secret", "out", "far-out", "sub", "fifo", "", "absent", "sub/../../secret", "sub/file/"] {
            assert!(open(&app, path.into(), CHUNK, &budget()).await.is_err(), "{path}");
        }
    }

    #[tokio::test]
    async fn segments_are_sent_in_order_and_to_the_byte() {
        let root = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        std::fs::write(root.path().join("f"), &content).unwrap();
        let opened = open(&mount(root.path()), "f".into(), 10, &budget()).await.unwrap();
        let Content::File(file) = opened.content else { panic!("read though it is large") };
        let segments = vec![
            Segment::Text("a".into()),
            Segment::Part(5..150_000),
            Segment::Text("b".into()),
            Segment::Part(0..0),
            Segment::Part(199_999..200_000),
        ];
        let body = body(file, segments);
        assert_eq!(body.size_hint().exact(), Some(149_998));
        let sent = body.collect().await.unwrap().to_bytes();
        assert_eq!(sent, [b"a", &content[5..150_000], b"b", &content[199_999..]].concat());
    }

    #[tokio::test]
    async fn a_file_that_shrinks_breaks_the_stream() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("f"), vec![0; 100_000]).unwrap();
        let opened = open(&mount(root.path()), "f".into(), 10, &budget()).await.unwrap();
        let Content::File(file) = opened.content else { panic!("read though it is large") };
        std::fs::write(root.path().join("f"), vec![0; 70_000]).unwrap();
        assert!(body(file, vec![Segment::Part(0..100_000)]).collect().await.is_err());
    }
}
