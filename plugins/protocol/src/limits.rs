//! How long and how many: what a message may hold. Both sides refuse what is beyond, so that neither can fill the
//! other's memory or log.

use std::time::Duration;

/// Bytes of a body: a list of [`INSTANCES`] instances with the longest names and reasons has less.
pub const BODY: usize = 5 << 20;
/// Bytes of the head of a reply: a status and a handful of headers.
pub const HEAD: usize = 16 << 10;
/// Bytes of a name: kinds, flavors, devices, instances. File systems, labels and container engines take as many.
pub const NAME: usize = 64;
/// Bytes of the name of an artifact: a digest has 71, and a repository's name may stand before it.
pub const ARTIFACT: usize = 128;
/// Bytes of a path of the machine, as Linux has it.
pub const PATH: usize = 4095;
/// Bytes of the name of a variable or a secret: what the hub takes.
pub const VARIABLE_NAME: usize = 255;
/// Bytes of the value of a variable or a secret: what the hub takes.
pub const VARIABLE_VALUE: usize = 64 << 10;
/// Variables and secrets together: what the hub takes of an owner, and what the host adds.
pub const VARIABLES: usize = 300;
/// Bytes of all variables and secrets of a request together: what Linux passes to a program at most.
pub const ENVIRONMENT: usize = 1 << 20;
/// Bytes of a request of build or start: its variables with each byte written as an escape of six, and the rest.
pub const REQUEST: usize = ENVIRONMENT * 6 + (256 << 10);
/// Bytes of a command that a README names.
pub const SCRIPT: usize = 8 << 10;
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
/// Artifacts that are needed at a time: some releases of each of a machine's Spaces.
pub const ARTIFACTS: usize = 16_384;
/// Ports to which connections are allowed.
pub const PORTS: usize = 64;
/// Networks that are exempt from the rule for private addresses.
pub const NETWORKS: usize = 256;
/// Longest time that a build may be given.
pub const BUILD: Duration = Duration::from_secs(24 * 3600);
/// Arguments of a command that is run inside an instance.
pub const ARGUMENTS: usize = 64;
/// Bytes of one such argument.
pub const ARGUMENT: usize = 4 << 10;
/// Bytes of what such a command writes; what comes beyond is left out.
pub const OUTPUT: usize = 64 << 10;
/// Longest time that such a command may be given.
pub const EXEC: Duration = Duration::from_secs(60);
/// Numbers are whole and at most 2^53 - 1, the largest that every JSON reader keeps exactly.
pub const NUMBER: u64 = (1 << 53) - 1;
/// Longest time an instance is given to end by itself.
pub const GRACE: Duration = Duration::from_secs(60);
