//! What Spaceport offers beyond WASI: facts about the Space, and log lines with levels.

/// Generated from `wit/app`.
mod bindings {
    wit_bindgen::generate!({ path: "../wit/app", world: "app" });
}

pub use bindings::spaceport::app::log::Level;
pub use bindings::spaceport::app::space::Facts;

/// Facts about the Space that this instance belongs to.
pub fn facts() -> Facts {
    bindings::spaceport::app::space::describe()
}

/// Writes a line to the Space's run log.
pub fn log(level: Level, message: &str) {
    bindings::spaceport::app::log::emit(level, message);
}
