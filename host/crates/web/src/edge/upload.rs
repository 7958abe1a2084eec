//! The body of a request as it comes off the connection: read to its end also where nobody wants it.
//!
//! An answer often needs no body: a stranger is refused, a guest looks at the head alone. But bytes that were not read keep
//! an HTTP/1.1 connection from its next request, and where the connection is closed over them, the kernel resets it, by
//! which a visitor who still sends may lose the answer that says why. So the rest is read and thrown away, for as long as
//! it keeps coming, within bounds.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::connection::Peer;

/// How long what nobody wants is read, all together: time for a visitor to have sent a small body, or to see the answer and
/// stop sending a large one.
const LINGER: Duration = Duration::from_secs(5);
/// The longest silence meanwhile: a round trip to the other side of the world, a few times over.
const LINGER_SILENCE: Duration = Duration::from_secs(1);

/// A request's body, whose rest is read by itself once it is dropped.
pub(super) struct Upload {
    incoming: Option<Incoming>,
    rest: Option<Rest>,
}

/// Where the rest is read.
struct Rest {
    peer: Arc<Peer>,
    runtime: Handle,
    /// The visitor sends nothing before we ask for it.
    awaits_leave: bool,
}

impl Upload {
    /// The request with its body so kept. To be called on the runtime of connections.
    pub(super) fn of(request: Request<Incoming>, peer: &Arc<Peer>) -> Request<Self> {
        // On h2 only the stream ends, by a frame that says so.
        let has_rest = request.version() < Version::HTTP_2 && !request.body().is_end_stream();
        let rest = has_rest.then(|| Rest {
            peer: peer.clone(),
            runtime: Handle::current(),
            awaits_leave: request.headers().contains_key(header::EXPECT),
        });
        request.map(|incoming| Self { incoming: Some(incoming), rest })
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(rest) = &mut self.rest {
            rest.awaits_leave = false;
        }
        self.incoming.as_mut().map_or(Poll::Ready(None), |incoming| Pin::new(incoming).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.is_end_stream() {
            return;
        }
        if let (Some(incoming), Some(Rest { peer, runtime, awaits_leave: false })) =
            (self.incoming.take(), self.rest.take())
        {
            runtime.spawn(discard(incoming, peer));
        }
    }
}

/// Reads what still comes, as a part of the request.
async fn discard(mut incoming: Incoming, peer: Arc<Peer>) {
    peer.begin_rest();
    let reading = async { while let Ok(Some(Ok(_))) = timeout(LINGER_SILENCE, incoming.frame()).await {} };
    // Whether it came to its end or not is for the connection to see.
    let _ = timeout(LINGER, reading).await;
    peer.end_request();
}
