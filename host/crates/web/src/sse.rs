//! Server-sent events as the clients of the Hub read them.
//!
//! They count lines that start with `data: {`, each a whole JSON object. One that does not follow ends after five seconds
//! of silence, so a keep-alive comes later than that; one that follows gives up after two minutes, so it comes sooner.
//! What is there already is sent at once. The stream never ends because a Space restarts: a clean end means "no more".

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;

/// Silence after which a keep-alive is sent: between the 5 s that end a reader and the 120 s after which one gives up.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// A keep-alive: an event without data, which nobody takes for one.
const KEEP_ALIVE_FRAME: Bytes = Bytes::from_static(b"data:\n\n");
/// Events that are sent as one piece when they are there already.
const BURST: usize = 256;

/// Proxies that buffer would turn a stream into a silence.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A response that sends these events as they come.
pub(crate) fn event_stream<T: Serialize + Send + 'static>(events: impl Stream<Item = T> + Send + 'static) -> Response {
    let bursts = Box::pin(events.ready_chunks(BURST));
    let frames = stream::unfold(bursts, |mut bursts| async move {
        let frame = match tokio::time::timeout(KEEP_ALIVE, bursts.next()).await {
            Ok(Some(events)) => frames(&events),
            Ok(None) => return None,
            Err(_) => KEEP_ALIVE_FRAME,
        };
        Some((Ok::<Bytes, Infallible>(frame), bursts))
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
        serde_json::to_writer(&mut frames, event).expect("an event has text keys only, and a buffer takes every byte");
        frames.get_mut().put_slice(b"\n\n");
    }
    frames.into_inner().freeze()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::json;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_there_comes_at_once_and_silence_is_filled() {
        let start = tokio::time::Instant::now();
        let events = stream::iter([json!({"data": "a\n"}), json!({"data": "b"})]).chain(stream::pending());
        let mut body = event_stream(events).into_body();
        let mut next = async || body.frame().await.unwrap().unwrap().into_data().unwrap();

        assert_eq!(next().await, "data: {\"data\":\"a\\n\"}\n\ndata: {\"data\":\"b\"}\n\n");
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(next().await, "data:\n\n");
        assert_eq!(start.elapsed(), KEEP_ALIVE);
    }
}
