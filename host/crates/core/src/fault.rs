//! What can go wrong while a Space answers a request, and the word for it.
//!
//! A *fault* is the guest's failure, or the platform's inability to serve right now; it is never a bug of ours. The edge
//! turns each into a status and a body (`code` is the contract that clients and tests rely on).

/// Why a request to a Space got no answer from the Space itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The guest trapped: unreachable, stack overflow, a host limit on handles or copied bytes.
    #[error("the app trapped: {0}")]
    GuestTrap(String),
    /// The request used more fuel than one request may.
    #[error("the request used more than its {0} units of fuel")]
    GuestFuelExceeded(u64),
    /// The guest needed more memory than its hardware has left.
    #[error("the app needed more memory than its hardware has left")]
    GuestMemoryExceeded,
    /// The guest returned without setting a response.
    #[error("the app returned without an answer")]
    GuestNoResponse,
    /// The guest's response cannot be sent on.
    #[error("the app's answer cannot be used: {0}")]
    GuestBadResponse(String),
    /// No first byte within the deadline.
    #[error("the app did not answer within {0:?}")]
    GuestDeadline(std::time::Duration),
    /// The Space's own queue is full, or its memory is taken by requests before this one.
    #[error("the Space is busy with other requests")]
    SpaceBusy,
    /// The node has no room: memory, instances or connections.
    #[error("this host is busy with other Spaces")]
    NodeOverloaded,
    /// The instance was stopped while the request waited.
    #[error("the Space is being stopped")]
    Stopped,
    /// The Space's container takes no connection, or ends one in the middle.
    #[error("the container does not answer: {0}")]
    ContainerUnreachable(String),
    /// What runs the Space's container is down, which says why.
    #[error("the container backend is not answering: {0}")]
    BackendUnavailable(String),
}

impl Fault {
    /// The code of the error contract, as in the header `x-spaceport-error`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::GuestTrap(_) => "guest_trap",
            Self::GuestFuelExceeded(_) => "guest_fuel_exceeded",
            Self::GuestMemoryExceeded => "guest_memory_exceeded",
            Self::GuestNoResponse => "guest_no_response",
            Self::GuestBadResponse(_) => "guest_bad_response",
            Self::GuestDeadline(_) => "guest_deadline",
            Self::SpaceBusy => "space_busy",
            Self::NodeOverloaded => "node_overloaded",
            Self::Stopped => "space_waking",
            Self::ContainerUnreachable(_) => "container_unreachable",
            Self::BackendUnavailable(_) => "backend_unavailable",
        }
    }
}
