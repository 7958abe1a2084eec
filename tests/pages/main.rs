//! The pages in a real browser: Chromium, driven by WebDriver, at a host of the test's own.
//!
//! Whatever a test is about, no page may complain: an error in the console or a breach of a page's own policy fails the test
//! that saw it (see [`browser::Browser`]). One module per concern.

mod accessibility;
mod account;
mod administer;
mod browser;
mod community;
mod driver;
mod files;
mod foreign;
mod hostile;
mod isolation;
mod keyboard;
mod logs;
mod narrow;
mod new_space;
mod oauth;
mod releases;
mod screenshots;
mod settings;
mod tour;
