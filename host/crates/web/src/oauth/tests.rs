mod browser;
mod device;
mod flows;
mod log;
mod questions;
mod sessions;
mod tokens;
