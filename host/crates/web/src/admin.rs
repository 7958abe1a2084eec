//! What only the operator reaches: `DATA/admin.sock` for the shell, and the metrics of the admin listener.
//!
//! Whoever can open the socket owns the data directory already, so its requests carry no token. The file's mode is the
//! lock; the host sets it.

mod metrics;
mod socket;

pub use metrics::metrics_router;
pub use socket::{
    CreateOrganization, CreateToken, CreateUser, CreatedOrganization, CreatedToken, CreatedUser, admin_socket_router,
};
