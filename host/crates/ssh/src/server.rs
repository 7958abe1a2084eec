//! Who is let in, for how long, and how everything ends.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::server::{Config, run_stream};
use russh::{Preferred, SshId, compression, kex};
use spaceport_control::service::Control;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::caps::{Caps, Place};
use crate::client::{self, Client};
use crate::host_key::HostKey;
use crate::limits::{
    ACCEPT_PAUSE, ATTEMPTS, AUTHENTICATION, DRAIN, FAREWELL, IDLE, KEEPALIVE, KEEPALIVES, PACKET, WAITING_OUTPUT,
    WINDOW,
};
use crate::progress::Progress;
use crate::wire::Wire;

/// What clients are told of the program.
const NAME: &str = "SSH-2.0-Spaceport";
/// Exchanges of keys: on a curve, with a lattice beside it where the client knows it. The older ones cost a host much more
/// than a stranger who asks for them, and clients know these since 2014.
static EXCHANGES: [kex::Name; 7] = [
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];
/// Signatures that are taken, which is what clients are told by this list.
static SIGNATURES: [Algorithm; 8] = [
    Algorithm::Ed25519,
    Algorithm::SkEd25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::SkEcdsaSha2NistP256,
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// Serves git over SSH until told to stop; then lets what runs end, for a while.
pub async fn serve(listener: TcpListener, control: Control, key: HostKey, stop: CancellationToken) {
    let config = Arc::new(config(&key));
    let caps = Arc::<Caps>::default();
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => match caps.admit(peer.ip()) {
                Some(place) => {
                    let connection =
                        Connection { config: config.clone(), control: control.clone(), stop: stop.clone() };
                    connections.spawn(connection.serve(stream, peer, place));
                }
                None => tracing::debug!(client = %peer.ip(), "a connection over SSH was refused: there are too many"),
            },
            Err(error) => {
                tracing::warn!(%error, "the SSH listener cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

fn config(key: &HostKey) -> Config {
    let preferred = Preferred {
        kex: Cow::Borrowed(&EXCHANGES),
        key: Cow::Borrowed(&SIGNATURES),
        // Packs are compressed already.
        compression: Cow::Borrowed(&[compression::NONE]),
        ..Preferred::DEFAULT
    };
    Config {
        server_id: SshId::Standard(Cow::Borrowed(NAME)),
        methods: client::methods(),
        // Which keys are known here anybody may learn who has a key to ask with; there is nothing to guess.
        auth_rejection_time: Duration::ZERO,
        keys: vec![key.private()],
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        // Data reaches us another way.
        channel_buffer_size: 1,
        event_buffer_size: WAITING_OUTPUT,
        preferred,
        max_auth_attempts: ATTEMPTS,
        inactivity_timeout: Some(IDLE),
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVES,
        ..Config::default()
    }
}

/// One connection.
struct Connection {
    config: Arc<Config>,
    control: Control,
    stop: CancellationToken,
}

impl Connection {
    async fn serve(self, stream: TcpStream, peer: SocketAddr, mut place: Place) {
        let Self { config, control, stop } = self;
        // Answers of a few bytes go out at once: git's conversations are made of them.
        let _ = stream.set_nodelay(true);
        let (cut, progress) = (CancellationToken::new(), Progress::new());
        let client = Client::new(control, peer.ip(), progress.clone(), cut.clone());
        let wire = Wire::new(stream, cut.clone());
        let session = async { run_stream(config, wire, client).await?.await };
        tokio::pin!(session);
        let over = async {
            tokio::select! {
                known = timeout(AUTHENTICATION, progress.until(|state| state.is_known)) => match known {
                    Ok(()) => place.known(),
                    Err(_) => return "it has not signed in",
                },
                () = stop.cancelled() => return "the host stops",
            }
            stop.cancelled().await;
            let is_idle = progress.is_idle();
            let drained = timeout(DRAIN, progress.until(|state| state.running == 0)).await;
            if !is_idle && drained.is_ok() {
                tokio::time::sleep(FAREWELL).await;
            }
            "the host stops"
        };
        let why = tokio::select! {
            ended = &mut session => {
                if let Err(error) = ended {
                    tracing::debug!(client = %peer.ip(), %error, "a connection over SSH broke");
                }
                return;
            }
            why = over => why,
        };
        tracing::debug!(client = %peer.ip(), why, "a connection over SSH was cut");
        cut.cancel();
        let _ = session.await;
    }
}
