//! Rows of hardware that administrators have made, changed or taken back: a row for each, whatever the configuration says
//! of its name.

use spaceport_core::hardware::Hardware;

/// What an administrator has said of a flavor last.
#[derive(Debug, Clone, PartialEq)]
pub enum HardwareChange {
    /// It is on offer, and is this.
    Offered(Hardware),
    /// It is not on offer.
    Withdrawn,
}
