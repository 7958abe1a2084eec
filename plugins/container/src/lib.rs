//! A backend plugin that builds and runs Spaces in containers of a Docker Engine.

pub mod base_image;
pub mod devices;
pub mod network;
pub mod usage;
