//! How long and how many: what a message may hold. Both sides refuse what is beyond, so that neither can fill the
//! other's memory or log.

use std::time::Duration;

/// Bytes of a body: a list of [`INSTANCES`] instances with the longest names and reasons has less.
pub const BODY: usize = 5 << 20;
/// Bytes of the head of a reply: a status and a handful of headers.
pub const HEAD: usize = 16 << 10;
/// Bytes of a name: kinds, flavors, devices, instances. File systems, labels and container engines take as many.
pub const NAME: usize = 64;
/// Bytes of a sentence for people.
pub const LINE: usize = 1000;
/// Bytes of the text of one log line; what a program writes without a line end is cut into such pieces.
pub const LOG_TEXT: usize = 8 << 10;
/// Bytes of one line of a stream: a log line whose every byte is written as an escape of six, and what is around it.
pub const STREAM_LINE: usize = LOG_TEXT * 6 + 256;
/// Versions of the protocol that one side speaks.
pub const VERSIONS: usize = 16;
/// Kinds of Spaces that one backend builds and runs.
pub const SDKS: usize = 16;
/// Rows of hardware that are asked for at once.
pub const FLAVORS: usize = 256;
/// Devices of one machine.
pub const DEVICES: usize = 256;
/// Instances of one backend.
pub const INSTANCES: usize = 2048;
/// Numbers are whole and at most 2^53 - 1, the largest that every JSON reader keeps exactly.
pub const NUMBER: u64 = (1 << 53) - 1;
/// Longest time an instance is given to end by itself.
pub const GRACE: Duration = Duration::from_secs(60);
