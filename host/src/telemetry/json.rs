//! Log lines as JSON: one flat object a line, in the order in which its fields were named.
//!
//! tracing-subscriber's own JSON goes through a map of values and costs as much as routing a request does; there is a
//! line for every request, so this one writes straight into the line.

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// What the fields begin with that the `log` crate's records carry about where they came from.
const OF_LOG: &str = "log.";
/// The one of them that takes the place of the event's own.
const LOG_TARGET: &str = "log.target";

/// See the module.
pub(super) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        line.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut line)?;
        write!(line, "\",\"level\":\"{}\"", event.metadata().level())?;
        let mut fields = Fields { line: &mut line, result: Ok(()), has_target: false };
        event.record(&mut fields);
        let Fields { result, has_target, .. } = fields;
        result?;
        if !has_target {
            line.write_str(",\"target\":")?;
            string(&mut line, format_args!("{}", event.metadata().target()))?;
        }
        line.write_str("}\n")
    }
}

struct Fields<'a, W> {
    line: &'a mut W,
    result: fmt::Result,
    has_target: bool,
}

impl<W: Write> Fields<'_, W> {
    fn field(&mut self, field: &Field, value: impl FnOnce(&mut W) -> fmt::Result) {
        let name = match field.name() {
            LOG_TARGET => {
                self.has_target = true;
                "target"
            }
            name if name.starts_with(OF_LOG) => return,
            name => name,
        };
        let line = &mut *self.line;
        self.result = self.result.and_then(|()| {
            line.write_str(",\"")?;
            Escaped(line).write_str(name)?;
            line.write_str("\":")?;
            value(line)
        });
    }
}

impl<W: Write> Visit for Fields<'_, W> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.field(field, |line| string(line, format_args!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, |line| {
            line.write_char('"')?;
            Escaped(line).write_str(value)?;
            line.write_char('"')
        });
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field, |line| line.write_str(if value { "true" } else { "false" }));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field, |line| write!(line, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field, |line| write!(line, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for the others.
        self.field(field, |line| if value.is_finite() { write!(line, "{value}") } else { line.write_str("null") });
    }
}

fn string(line: &mut impl Write, text: fmt::Arguments<'_>) -> fmt::Result {
    line.write_char('"')?;
    Escaped(line).write_fmt(text)?;
    line.write_char('"')
}

/// Writes what is to stand between the quotes of a JSON string.
struct Escaped<'a, W>(&'a mut W);

impl<W: Write> Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'\\' | 0..0x20)) {
            self.0.write_str(&text[plain..at])?;
            plain = at + 1;
            match byte {
                b'"' | b'\\' => {
                    self.0.write_char('\\')?;
                    self.0.write_char(char::from(byte))?;
                }
                b'\n' => self.0.write_str("\\n")?,
                control => write!(self.0, "\\u{control:04x}")?,
            }
        }
        self.0.write_str(&text[plain..])
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Kept {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// What is written while `say` runs, read back by another's hand.
    fn lines(say: impl FnOnce()) -> Vec<serde_json::Value> {
        let kept = Kept::default();
        let subscriber = tracing_subscriber::fmt().event_format(JsonLines).with_writer(kept.clone()).finish();
        tracing::subscriber::with_default(subscriber, say);
        let text = String::from_utf8(kept.0.lock().clone()).unwrap();
        assert!(text.ends_with('\n') && !text.trim_end().contains('\r'), "{text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_one_object_with_every_field_in_its_own_type() {
        let lines = lines(|| {
            let missing: Option<&str> = None;
            tracing::info!(target: "door", text = "a", number = 7_u64, less = -7_i64, part = 0.25, yes = true, missing, "said");
            tracing::warn!(strange = f64::NAN, "and then");
        });
        let first = &lines[0];
        assert!(first["timestamp"].as_str().unwrap().ends_with('Z'));
        for (name, value) in [
            ("level", serde_json::json!("INFO")),
            ("message", "said".into()),
            ("target", "door".into()),
            ("text", "a".into()),
            ("number", 7.into()),
            ("less", (-7).into()),
            ("part", 0.25.into()),
            ("yes", true.into()),
        ] {
            assert_eq!(first[name], value, "{name}");
        }
        assert_eq!(first.get("missing"), None);
        assert_eq!((&lines[1]["strange"], &lines[1]["level"]), (&serde_json::Value::Null, &"WARN".into()));
    }

    #[test]
    fn no_text_gets_out_of_its_string_or_its_line() {
        let hostile: String = (0..0x80_u8).map(char::from).chain("\"},{\"x\":\"\u{2028}é\u{1F600}".chars()).collect();
        let lines = lines(|| {
            tracing::info!(plain = hostile.as_str(), shown = %hostile, debug = ?hostile, "{hostile}");
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["plain"], hostile.as_str());
        assert_eq!(lines[0]["shown"], hostile.as_str());
        assert_eq!(lines[0]["debug"], format!("{hostile:?}"));
        assert_eq!(lines[0]["message"], hostile.as_str());
    }
}
