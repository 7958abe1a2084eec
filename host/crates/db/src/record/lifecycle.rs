//! The stored form of a lifecycle: the domain's own serde form, which `core` keeps for this purpose.
//!
//! A copy of its eight enums would add nothing but a chance to differ. What guards the form is a test that reads text
//! written by version 1.

use serde::{Deserialize, Serialize};
use spaceport_core::lifecycle::State;

use crate::record::record_by_json;

record_by_json!(State, StateV1);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct StateV1(State);

impl From<&State> for StateV1 {
    fn from(state: &State) -> Self {
        Self(state.clone())
    }
}

impl From<StateV1> for State {
    fn from(stored: StateV1) -> Self {
        stored.0
    }
}
