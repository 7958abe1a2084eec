//! What a guest may reach outside itself, each capability in a module of its own.
//!
//! Everything here enforces; what is allowed was decided by `spaceport-core` and handed over as values. A capability
//! knows nothing of instances or stores: the engine's linker and state put them into place.

pub mod files;
pub mod http_out;
pub mod sockets;

mod shadow;
