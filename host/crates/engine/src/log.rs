//! Where a guest's words go.
//!
//! The engine writes bytes and never waits: whoever implements this keeps what it has room for and drops the rest. The
//! supervisor's implementation is the Space's run log; tests collect into memory.

/// A Space's run log as the engine sees it.
pub trait GuestLog: Send + Sync {
    /// Takes text that the guest wrote, or that the host says about it. Returns at once; what does not fit is lost.
    fn write(&self, text: &[u8]);
}
