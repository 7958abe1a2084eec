//! What a person reads while waiting: one line per step, with the time it took.

use std::io::Write;
use std::time::Instant;

/// Writes a line to standard error, where progress belongs.
pub(crate) fn say(line: &str) {
    // Nobody may be listening any more; that is no reason to stop working.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Does a step that may take long, saying so before and after.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    say(&format!("==> {what}"));
    let started = Instant::now();
    let result = work()?;
    say(&format!("    {what}: done in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(result)
}
