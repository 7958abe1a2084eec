//! Server-sent events as the clients of the Hub read them.
//!
//! They count lines that start with `data: {`, each a whole JSON object. One that does not follow ends after five seconds
//! of silence, so a keep-alive comes later than that; one that follows gives up after two minutes, so it comes sooner.
//! What is there already is sent at once. The stream never ends because a Space restarts: a clean end means "no more".

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;
use serde_json::ser::Formatter;
use tokio::time::Instant;

/// Silence after which a keep-alive is sent: between the 5 s that end a reader and the 120 s after which one gives up.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long a reader may be believed to have the right that it had: a look at two rows of the database is too much for every
/// burst of a busy log.
const RECHECK: Duration = Duration::from_secs(1);
/// A keep-alive: an event without data, which nobody takes for one.
const KEEP_ALIVE_FRAME: Bytes = Bytes::from_static(b"data:\n\n");
/// Events that are sent as one piece when they are there already.
const BURST: usize = 256;

/// Line breaks that JSON does not escape: next line, line separator, paragraph separator.
const LINE_BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// Proxies that buffer would turn a stream into a silence.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A response that sends these events as they come, for as long as the reader may read them: asked again before anything
/// is sent, but not more often than [`RECHECK`].
pub(crate) fn event_stream<T: Serialize + Send + 'static>(
    may_read: impl Fn() -> bool + Send + 'static,
    events: impl Stream<Item = T> + Send + 'static,
) -> Response {
    let bursts = Box::pin(events.ready_chunks(BURST));
    let start = (bursts, may_read, Instant::now());
    let frames = stream::unfold(start, |(mut bursts, may_read, mut checked)| async move {
        let frame = match tokio::time::timeout(KEEP_ALIVE, bursts.next()).await {
            Ok(Some(events)) => frames(&events),
            Ok(None) => return None,
            Err(_) => KEEP_ALIVE_FRAME,
        };
        if checked.elapsed() >= RECHECK {
            if !may_read() {
                return None;
            }
            checked = Instant::now();
        }
        Some((Ok::<Bytes, Infallible>(frame), (bursts, may_read, checked)))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(frames)).into_response()
}

fn frames<T: Serialize>(events: &[T]) -> Bytes {
    let mut frames = BytesMut::new().writer();
    for event in events {
        frames.get_mut().put_slice(b"data: ");
        let mut json = serde_json::Serializer::with_formatter(&mut frames, OneLine);
        event.serialize(&mut json).expect("an event has text keys only, and a buffer takes every byte");
        frames.get_mut().put_slice(b"\n\n");
    }
    frames.into_inner().freeze()
}

/// JSON on one line for clients too that end a line at every character Unicode calls a line break, as Python does. Those
/// that JSON itself leaves as they are get escaped; control characters are in any case.
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, found)) = rest.char_indices().find(|(_, c)| LINE_BREAKS.contains(c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            write!(writer, "\\u{:04x}", u32::from(found))?;
            rest = &rest[at + found.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use http_body_util::BodyExt;
    use serde_json::json;
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_there_comes_at_once_and_silence_is_filled() {
        let start = tokio::time::Instant::now();
        let events = stream::iter([json!({"data": "a\n"}), json!({"data": "b"})]).chain(stream::pending());
        let mut body = event_stream(|| true, events).into_body();
        let mut next = async || body.frame().await.unwrap().unwrap().into_data().unwrap();

        assert_eq!(next().await, "data: {\"data\":\"a\\n\"}\n\ndata: {\"data\":\"b\"}\n\n");
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(next().await, "data:\n\n");
        assert_eq!(start.elapsed(), KEEP_ALIVE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_the_right_to_read_it() {
        let may_read = Arc::new(AtomicBool::new(true));
        let asked = may_read.clone();
        let (sender, received) = mpsc::channel(1);
        let events = stream::unfold(received, async |mut received: mpsc::Receiver<u8>| {
            Some((json!({ "data": received.recv().await? }), received))
        });
        let mut body = event_stream(move || asked.load(Ordering::SeqCst), events).into_body();
        sender.send(1).await.unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "data: {\"data\":1}\n\n");
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), KEEP_ALIVE_FRAME);
        may_read.store(false, Ordering::SeqCst);
        tokio::time::advance(RECHECK).await;
        sender.send(2).await.unwrap();
        assert!(body.frame().await.is_none(), "an event that may not be read any more");

        let mut silent = event_stream(|| false, stream::pending::<serde_json::Value>()).into_body();
        assert!(silent.frame().await.is_none(), "a silent stream ends, too");
    }

    #[test]
    fn an_event_is_one_line_by_every_notion_of_a_line() {
        let data = "a\u{85}b\u{2028}c\u{2029}d\r\n\u{b}\u{c}\u{1c}\u{1d}\u{1e}ü\u{2028}\n";
        let frames = frames(&[json!({ "data": data })]);
        let text = std::str::from_utf8(&frames).unwrap();
        let json = text.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
        let breaks = "\n\r\u{b}\u{c}\u{1c}\u{1d}\u{1e}\u{85}\u{2028}\u{2029}";
        assert!(!json.contains(|c| breaks.contains(c)), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(json).unwrap()["data"], data);
    }
}
