//! A server that does what a test says, byte by byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Accepts on port 8080 until it is dropped.
pub(super) struct Server {
    connections: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Server {
    /// Hands every connection to `serve`.
    pub(super) async fn start<F, S>(ip: &str, serve: S) -> Self
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let address: SocketAddr = format!("{ip}:8080").parse().unwrap();
        let listener = TcpListener::bind(address).await.unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = connections.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream));
            }
        });
        Self { connections, task: task.abort_handle() }
    }

    /// Answers every request on every connection with what it was sent as head.
    pub(super) async fn echo(ip: &str) -> Self {
        Self::start(ip, |stream| async move {
            let mut stream = BufReader::new(stream);
            while let Some(head) = head(&mut stream).await {
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{head}", head.len());
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        })
        .await
    }

    /// Reads one request, answers with these bytes and keeps the connection open.
    pub(super) async fn answer(ip: &str, answer: &'static str) -> Self {
        Self::start(ip, move |stream| async move {
            let mut stream = BufReader::new(stream);
            head(&mut stream).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.read(&mut [0]).await;
        })
        .await
    }

    /// Connections so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The head of the next request, without the empty line at its end.
pub(super) async fn head<R: AsyncRead + Unpin>(stream: &mut BufReader<R>) -> Option<String> {
    let mut head = String::new();
    loop {
        let start = head.len();
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
        if head.get(start..) == Some("\r\n") {
            return Some(head);
        }
    }
}
