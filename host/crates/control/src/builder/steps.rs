//! The lines of a build's log that the host writes itself: what is done, after how long.

use std::sync::Arc;
use std::time::Instant;

use crate::ports::LogSink;

/// Tells the owner how a build goes.
pub(super) struct Steps {
    log: Arc<dyn LogSink>,
    begun: Instant,
}

impl Steps {
    pub(super) fn begin(log: Arc<dyn LogSink>) -> Self {
        Self { log, begun: Instant::now() }
    }

    pub(super) fn log(&self) -> Arc<dyn LogSink> {
        self.log.clone()
    }

    /// A line with the time since the build began.
    pub(super) fn say(&self, line: impl AsRef<str>) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let mut text = String::new();
        for (index, line) in line.as_ref().lines().enumerate() {
            let margin = if index == 0 { format!("[{seconds:7.2} s] ") } else { " ".repeat(12) };
            text.push_str(&format!("{margin}{line}\n"));
        }
        self.log.write(text.as_bytes());
    }

    pub(super) fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }
}

/// A number of bytes for people.
pub(super) fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        for (bytes, text) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 20, "5.0 MiB"), (3 << 30, "3.0 GiB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
