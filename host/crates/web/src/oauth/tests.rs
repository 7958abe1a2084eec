mod browser;
mod device;
mod flows;
mod questions;
mod sessions;
mod tokens;
