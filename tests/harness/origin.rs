//! A server for guests to call, on a loopback address of its own and port 8080, which the port rule allows; the host
//! under test exempts the address by `[egress] allow`.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An origin that answers every request with the same text.
pub struct Origin {
    /// Where it listens.
    pub address: SocketAddr,
    hits: Arc<AtomicU64>,
}

impl Origin {
    /// Listens on port 8080 of a free loopback address.
    #[track_caller]
    pub fn start(answer: &'static str) -> Self {
        let listener = (2..=250)
            .find_map(|last| TcpListener::bind((Ipv4Addr::new(127, 8, 8, last), 8080)).ok())
            .expect("a loopback address with a free port 8080");
        let address = listener.local_addr().unwrap();
        let hits = Arc::new(AtomicU64::new(0));
        let counter = hits.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                counter.fetch_add(1, Ordering::SeqCst);
                let mut head = [0; 8192];
                let _ = stream.read(&mut head);
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
                    answer.len()
                );
            }
        });
        Self { address, hits }
    }

    /// Its address.
    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// Connections that reached it.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::SeqCst)
    }
}
