//! A build as it goes on, up to its end.

use spaceport_backend_protocol::{BuildEvent, Call, DecodeError, Line, LogLine, Message, Recipe};

use super::CallError;
use super::exchange::Exchange;
use super::lines::Lines;

/// A build under way. Dropping it ends the build.
pub struct Building {
    events: Lines<BuildEvent>,
    recipe: Recipe,
}

/// What comes next of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildStep {
    /// Something for the owner to read.
    Said(LogLine),
    /// How it ended, which is never a line of its log.
    Ended(BuildEvent),
}

impl Building {
    pub(super) fn new(exchange: Exchange, recipe: Recipe) -> Self {
        Self { events: Lines::new(Call::Build, exchange), recipe }
    }

    /// What comes next; nothing after the end. Waits as long as the build is silent; may be dropped and called again.
    pub async fn next(&mut self) -> Result<BuildStep, CallError> {
        let nonsense = || CallError::nonsense(&Call::Build);
        let event = self.events.next().await?.ok_or_else(|| nonsense()(endless()))?;
        event.check_against(&self.recipe).map_err(nonsense())?;
        Ok(match event {
            BuildEvent::Log(line) => BuildStep::Said(line),
            end => BuildStep::Ended(end),
        })
    }
}

/// The stream stops without having said how the build ended.
fn endless() -> DecodeError {
    DecodeError::Invalid { what: BuildEvent::WHAT, why: Line::lossy("it says nothing of how the build ended") }
}
