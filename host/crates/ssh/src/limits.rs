//! What strangers and users may take, each with its reason.

use std::time::Duration;

/// Connections at a time. Each holds a task and some hundred KiB at most; git itself is counted by `spaceport_git`.
pub(crate) const CONNECTIONS: usize = 256;
/// Connections at a time of one address, or one network of IPv6: a developer with many clones that fetch at once.
pub(crate) const CONNECTIONS_PER_ADDRESS: usize = 24;
/// Connections at a time that have not signed in yet: a key exchange is work, and anybody may ask for one.
pub(crate) const STRANGERS: usize = 64;
/// Time to sign in. A hardware key that waits to be touched takes some seconds of it.
pub(crate) const AUTHENTICATION: Duration = Duration::from_secs(20);
/// Keys that may be refused on one connection: agents offer all that they hold, and none of them can be guessed.
pub(crate) const ATTEMPTS: usize = 20;
/// Longest silence of a connection on both sides. Whatever works for a client shows it more often than this.
pub(crate) const IDLE: Duration = Duration::from_secs(120);
/// After this time without a word from a client it is asked whether it is there.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(30);
/// How often it is asked in vain.
pub(crate) const KEEPALIVES: usize = 3;
/// Channels at a time on one connection: what OpenSSH's own server allows those who share a connection.
pub(crate) const CHANNELS: usize = 10;
/// Bytes that a client may send on a channel before it is told to go on.
pub(crate) const WINDOW: u32 = 1 << 20;
/// Bytes of a packet.
pub(crate) const PACKET: u32 = 32 << 10;
/// Pieces of a client's data that wait for whoever reads them. Then the connection is read no further.
pub(crate) const WAITING_INPUT: usize = 16;
/// Pieces for a client that wait to be sent, of all its channels.
pub(crate) const WAITING_OUTPUT: usize = 8;
/// What a push is told, waiting for a client to read it.
pub(crate) const WAITING_REPORT: usize = 64;
/// Longest silence of a client that is pushing, while it packs what it has: longer than over HTTP, where whoever is between
/// would not wait. Its turn is one of few.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
/// Longest wait for a client that does not read.
pub(crate) const STALL: Duration = Duration::from_secs(60);
/// Longest value of `GIT_PROTOCOL` that is passed on.
pub(crate) const MAX_PROTOCOL: usize = 100;
/// How long what runs may go on once the host is told to stop.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);
/// How long a client may take to read the end and to leave, then.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);
/// How long after a failed `accept` the next one: the system is out of descriptors or memory.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
