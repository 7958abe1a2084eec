//! Where log lines of the host go: structured, to stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// What is shown unless the operator asks for something else: everything worth knowing, and one line a request.
const DEFAULT_FILTER: &str =
    "info,hyper=warn,h2=warn,hickory_resolver=warn,hickory_proto=warn,cranelift=warn,wasmtime=warn";

/// Starts logging: readable lines on a terminal, JSON otherwise. `filter` is in the syntax of `RUST_LOG`.
pub(crate) fn start(filter: Option<&str>) {
    let filter =
        EnvFilter::try_new(filter.unwrap_or(DEFAULT_FILTER)).unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.init();
    } else {
        builder.json().flatten_event(true).init();
    }
}
