//! What an instance writes, from the oldest that is kept on, as lines with times.

use std::io;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::{Stream, StreamExt};
use jiff::Timestamp;
use spaceport_backend_protocol::{InstanceId, LogLine, LogStream, Refusal, limits};

use super::expect;
use crate::plugin::Plugin;
use crate::refusal::of_engine;
use crate::serve::{Gone, Lines, Unread, lines};

/// Characters of a time before a line: the Engine writes thirty.
const TIME: usize = 40;

/// The lines of an instance, until it ends.
pub(crate) async fn logs(plugin: &Plugin, id: &InstanceId) -> Result<Unread, Refusal> {
    expect(plugin, id).await?;
    let docker = plugin.engine.client().await.map_err(|error| of_engine(&error))?;
    let options = LogsOptions {
        follow: true,
        stdout: true,
        stderr: true,
        timestamps: true,
        tail: "all".to_owned(),
        ..LogsOptions::default()
    };
    let log = docker.logs(&plugin.names.container(id), Some(options));
    let (writer, reader) = lines();
    tokio::spawn(async move {
        let log = std::pin::pin!(log);
        tokio::select! {
            outcome = pass_on(log, &writer) => match outcome {
                Ok(()) | Err(Broken::Gone) => {}
                Err(Broken::Engine(error)) => writer.fail(error).await,
            },
            () = writer.closed() => {}
        }
    });
    Ok(reader)
}

enum Broken {
    /// Nobody reads on.
    Gone,
    /// The Engine broke off.
    Engine(io::Error),
}

impl From<Gone> for Broken {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

async fn pass_on(
    mut log: impl Stream<Item = Result<LogOutput, bollard::errors::Error>> + Unpin,
    writer: &Lines,
) -> Result<(), Broken> {
    let (mut out, mut err) = (Cutter::new(LogStream::Out), Cutter::new(LogStream::Err));
    while let Some(piece) = log.next().await {
        let (cutter, bytes) = match piece.map_err(|error| Broken::Engine(io::Error::other(error)))? {
            LogOutput::StdOut { message } | LogOutput::Console { message } => (&mut out, message),
            LogOutput::StdErr { message } => (&mut err, message),
            LogOutput::StdIn { .. } => continue,
        };
        for line in cutter.cut(&bytes) {
            writer.write(&line).await?;
        }
    }
    Ok(())
}

/// Makes lines of what the Engine sends: a time, a blank, and some text, which ends with a line's end unless the program
/// wrote more in one line than the Engine keeps together.
struct Cutter {
    stream: LogStream,
    /// What came after the last line's end, without its time.
    begun: Vec<u8>,
    at_ms: Option<u64>,
}

impl Cutter {
    fn new(stream: LogStream) -> Self {
        Self { stream, begun: Vec::new(), at_ms: None }
    }

    fn cut(&mut self, piece: &[u8]) -> Vec<LogLine> {
        let (at_ms, text) = split_time(piece);
        self.at_ms = at_ms.or(self.at_ms);
        let mut lines = Vec::new();
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            let (part, ends) = match part.strip_suffix(b"\n") {
                Some(part) => (part.strip_suffix(b"\r").unwrap_or(part), true),
                None => (part, false),
            };
            self.begun.extend_from_slice(part);
            while self.begun.len() > limits::LOG_TEXT / UTF8 {
                let rest = self.begun.split_off(limits::LOG_TEXT / UTF8);
                let whole = std::mem::replace(&mut self.begun, rest);
                lines.push(self.line(&whole));
            }
            if ends {
                let whole = std::mem::take(&mut self.begun);
                lines.push(self.line(&whole));
            }
        }
        lines
    }

    fn line(&self, text: &[u8]) -> LogLine {
        LogLine { stream: self.stream, text: String::from_utf8_lossy(text).into_owned(), at_ms: self.at_ms }
    }
}

/// A byte that is no text becomes a character of three.
const UTF8: usize = 3;

/// A time in front of some text, in milliseconds since 1970.
fn split_time(piece: &[u8]) -> (Option<u64>, &[u8]) {
    let Some(blank) = piece.iter().take(TIME).position(|byte| *byte == b' ') else { return (None, piece) };
    let time = std::str::from_utf8(&piece[..blank]).ok().and_then(|text| text.parse::<Timestamp>().ok());
    match time {
        Some(time) => (u64::try_from(time.as_millisecond()).ok(), &piece[blank + 1..]),
        None => (None, piece),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn a_line_has_the_time_at_which_it_was_written() {
        let mut cutter = Cutter::new(LogStream::Out);
        let lines = cutter.cut(b"2026-11-26T02:00:00.123456789Z hello there\r\n");
        assert_eq!(texts(&lines), ["hello there"]);
        assert_eq!(lines[0].at_ms, Some(1_795_658_400_123));
        assert_eq!(texts(&cutter.cut(b"no time\n")), ["no time"]);
    }

    #[test]
    fn a_long_line_is_cut_and_loses_nothing() {
        let mut cutter = Cutter::new(LogStream::Err);
        let half = "x".repeat(limits::LOG_TEXT);
        let mut lines = cutter.cut(format!("2026-11-26T02:00:00Z {half}").as_bytes());
        lines.extend(cutter.cut(b"2026-11-26T02:00:01Z end\n"));
        assert!(lines.iter().all(|line| line.text.len() <= limits::LOG_TEXT));
        assert_eq!(texts(&lines).concat(), half + "end");
    }

    #[test]
    fn what_is_no_text_fits_too() {
        let mut cutter = Cutter::new(LogStream::Out);
        let mut piece = vec![0xff; limits::LOG_TEXT];
        piece.push(b'\n');
        assert!(cutter.cut(&piece).iter().all(|line| line.text.len() <= limits::LOG_TEXT));
    }
}
