//! HTTP on the Unix socket. Each call has a connection to itself and is answered by one function.

mod reply;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use spaceport_backend_protocol::{
    Ask, BuildRequest, CALL_HEADER, Call, ErrorCode, ExecRequest, Hello, Message, Refusal, Retain, StartRequest,
    StopRequest, decode, limits,
};
use tokio::net::{UnixListener, UnixStream};

use crate::plugin::Plugin;
use crate::refusal::{bad_request, refuse};
use crate::{artifacts, builds, describe, instances};
pub(crate) use reply::{Body, Gone, Lines, Unread, lines};
use reply::{message, refused, stream};

/// Answers until the socket fails.
pub(crate) async fn listen(listener: UnixListener, plugin: Arc<Plugin>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(converse(stream, plugin.clone()));
    }
}

async fn converse(stream: UnixStream, plugin: Arc<Plugin>) {
    let service = service_fn(move |request| {
        let plugin = plugin.clone();
        async move { Ok::<_, Infallible>(answer(request, plugin).await) }
    });
    let mut http = http1::Builder::new();
    http.max_buf_size(limits::HEAD.max(MIN_BUFFER)).timer(TokioTimer::new());
    // A host that hangs up in the middle is no matter.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

/// The least that the library takes for a buffer.
const MIN_BUFFER: usize = 8192;

async fn answer(request: Request<Incoming>, plugin: Arc<Plugin>) -> Response<Body> {
    let number = request.headers().get(CALL_HEADER).cloned();
    let mut response = carry_out(request, plugin).await.unwrap_or_else(|refusal| refused(&refusal));
    if let Some(number) = number {
        response.headers_mut().insert(CALL_HEADER, number);
    }
    response
}

async fn carry_out(request: Request<Incoming>, plugin: Arc<Plugin>) -> Result<Response<Body>, Refusal> {
    let (method, uri) = (request.method().as_str(), request.uri());
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let Some((call, _)) = Call::parse(method, path) else {
        return Err(refuse(ErrorCode::NoSuchCall, &format!("there is no {method} {path}")));
    };
    let body = request.into_body();
    match call {
        Call::Protocol => Ok(message(&Hello::new())),
        Call::Describe => Ok(message(&describe::describe(&plugin, &read::<Ask>(body).await?).await?)),
        Call::Health => Ok(message(&describe::health(&plugin).await)),
        Call::Build => Ok(stream(builds::build(&plugin, read::<BuildRequest>(body).await?)?)),
        Call::Retain => Ok(message(&artifacts::retain(&plugin, &read::<Retain>(body).await?).await?)),
        Call::List => Ok(message(&instances::list(&plugin).await?)),
        Call::Start => {
            let request = read::<StartRequest>(body).await?;
            Ok(message(&instances::start(plugin, request).await?))
        }
        Call::Stop(id) => {
            let request = read::<StopRequest>(body).await?;
            Ok(message(&instances::stop(plugin, id, request).await?))
        }
        Call::Remove(id) => Ok(message(&instances::remove(plugin, id).await?)),
        Call::Stats(id) => Ok(message(&instances::stats(&plugin, &id).await?)),
        Call::Exec(id) => Ok(message(&instances::exec(&plugin, &id, read::<ExecRequest>(body).await?).await?)),
        Call::Logs(id) => Ok(stream(instances::logs(&plugin, &id).await?)),
    }
}

async fn read<T: Message>(body: Incoming) -> Result<T, Refusal> {
    let body = Limited::new(body, T::MOST).collect().await.map_err(|error| {
        refuse(
            ErrorCode::BadRequest,
            &format!("{} cannot be read, or has more than {} bytes: {error}", T::WHAT, T::MOST),
        )
    })?;
    decode(&body.to_bytes()).map_err(|error| bad_request(&error))
}
