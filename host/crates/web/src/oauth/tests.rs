mod browser;
mod flows;
mod questions;
mod sessions;
mod tokens;
