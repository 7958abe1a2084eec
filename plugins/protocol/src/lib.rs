//! What a host and a backend plugin say to each other.
//!
//! A backend plugin is a program that builds and runs what no component can be: containers, mostly. The host starts it,
//! watches it and starts it again; the two speak HTTP/1.1 with JSON bodies over a Unix socket. This crate is all they
//! share: message types, paths, limits and the decoding of every message. It performs no I/O and knows neither side.
//!
//! Decoding is total: any bytes give a value within the limits of [`limits`] or a [`DecodeError`]. A side that has
//! decoded a message need not look at single fields again; what depends on an earlier message (was that asked for?) has a
//! method of its own, such as [`Description::check_against`].
//!
//! # The life of a plugin
//!
//! The host starts the configured command with two more arguments, `--socket` and a path ([`SOCKET_ARGUMENT`]); the
//! environment variable `SPACEPORT_BACKEND_SOCKET` ([`SOCKET_VARIABLE`]) holds the path too. The plugin removes what lies there, listens
//! there, and answers [`Call::Protocol`] within half a minute. Nobody else can reach the folder. What it writes to its
//! standard error goes, line by line, into the host's log. Its standard input is a pipe on which nothing ever comes: at
//! its end the host is gone, and the plugin ends too. On `SIGTERM` it ends within seconds. Instances live on in both
//! cases: the next plugin process finds them and lists them. What a plugin starts itself and wants to outlive it has a
//! process group of its own and not that variable in its environment: before each start the host kills every process
//! that has.
//!
//! A plugin is asked for its health every few seconds. One that does not answer this within ten, or with anything that this
//! crate cannot decode, is killed with its process group and started again, with pauses that grow to a minute.
//!
//! # A call
//!
//! Each call has a connection to itself. The request carries the header `spaceport-call` ([`CALL_HEADER`]) with a text
//! that the reply repeats in a header of that name. A reply is 200 with the body named below, or another status with a
//! [`Refusal`]. A body has at most [`limits::BODY`] bytes. Members of an object that the reader does not know are skipped:
//! that is how a version grows.
//!
//! # Versions
//!
//! [`Call::Protocol`] is the one path without a version and never changes: its reply, [`Hello`], lists the versions that the
//! plugin speaks. The host takes the highest that it speaks itself ([`Hello::choose`]), and puts it in front of every
//! other path.
//!
//! # The verbs of version 1
//!
//! | Verb | Request | Reply | Refusals |
//! |---|---|---|---|
//! | protocol | `GET /protocol` | [`Hello`] | |
//! | describe | `POST /v1/describe` [`Ask`] | [`Description`]: kinds, which of the hardware it can offer and why not the rest, capacity, devices | `unavailable` |
//! | health | `GET /v1/health` | [`Health`] | |
//! | build | `POST /v1/builds` [`BuildRequest`] | a stream of [`BuildEvent`], one a line; the last says how it ended. Whoever hangs up has it ended | `unavailable` |
//! | retain | `POST /v1/artifacts/retain` [`Retain`] | [`Retained`]: what is needed and not there | `unavailable` |
//! | list | `GET /v1/instances` | [`Instances`]: every one that was started and not removed, whoever started it | `unavailable` |
//! | start | `POST /v1/instances` [`StartRequest`] | the [`Instance`]. An id that is there already is not started again: the reply says how it is, so a start may be repeated | `no_such_artifact`; `busy` while every device of the kind has an owner; `bad_request` for an id that is there with another artifact; `unavailable` |
//! | stop | `POST /v1/instances/{id}/stop` [`StopRequest`] | the [`Instance`], stopped; one that has ended already is no mistake | `no_such_instance`, `unavailable` |
//! | remove | `DELETE /v1/instances/{id}` | [`Removed`]: it is ended at once if it runs, and its logs go with it. One that is not there is no mistake | `unavailable` |
//! | stats | `GET /v1/instances/{id}/stats` | [`Stats`]; of one that has ended, what it had used as far as that is known | `no_such_instance`, `unavailable` |
//! | exec | `POST /v1/instances/{id}/exec` [`ExecRequest`] | [`ExecReply`] | `no_such_instance`, also for one that has ended; `unavailable` |
//! | logs | `GET /v1/instances/{id}/logs` | a stream of [`LogLine`], one a line, from the oldest kept to the newest, then on until the instance ends | `no_such_instance`, `unavailable` |
//!
//! Every verb may be refused with `bad_request`, `busy` or `failed`; [`ErrorCode`] says what each means. A plugin refuses a path
//! it does not know with `no_such_call`, so either side may be the newer one.
//!
//! For those who write a plugin in another language, `openapi.json` beside this crate's manifest describes calls and messages.
//!
//! # What a backend promises
//!
//! - An id names one instance, however often its start is asked for and whatever is interrupted: there are never two.
//! - An instance is held to its hardware, its disk, its quota and its [`Egress`] from outside, and so is a build to its limits;
//!   what cannot be held is said in the build's log or refused by describe.
//! - An instance is ended by stop, by remove, by what it does itself and by its limits, and by nothing else: not by the end of
//!   the plugin or of the host.
//! - Secrets of a build are in no artifact, in no log that the plugin writes, and on no disk after the build.

pub mod limits;

mod artifacts;
mod build;
mod call;
mod decode;
mod describe;
mod environment;
mod error;
mod inside;
mod instance;
mod log;
mod start;
mod text;
mod version;

pub use artifacts::{Retain, Retained};
pub use build::{BuildEvent, BuildLimits, BuildRequest, Fault, Recipe};
pub use call::Call;
pub use decode::{DecodeError, Message, decode, encode};
pub use describe::{Ask, Capacity, Description, Device, Flavor, Gpu, Hardware, Health};
pub use environment::{Egress, Network, Variable};
pub use error::{ErrorCode, Refusal};
pub use inside::{ExecReply, ExecRequest, Stats};
pub use instance::{Instance, InstanceState, Instances, Removed, StopRequest};
pub use log::{LogLine, LogStream};
pub use start::{Data, StartRequest};
pub use text::{Artifact, FilePath, HostPath, InstanceId, InvalidText, Line, Script, Value, VariableName, Word};
pub use version::{Hello, NoCommonVersion, Version};

/// The argument before the path of the socket.
pub const SOCKET_ARGUMENT: &str = "--socket";
/// The environment variable that holds the path of the socket.
pub const SOCKET_VARIABLE: &str = "SPACEPORT_BACKEND_SOCKET";
/// The header that ties a reply to its request.
pub const CALL_HEADER: &str = "spaceport-call";
