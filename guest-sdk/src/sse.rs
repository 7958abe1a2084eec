//! Server-sent events (WHATWG HTML, section 9.2).

use std::fmt;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    data: String,
    name: Option<String>,
    id: Option<String>,
}

impl Event {
    /// An event with this data, which may have several lines.
    ///
    /// ```
    /// use spaceport_guest::Event;
    ///
    /// assert_eq!(Event::new("one\ntwo").named("tick").to_string(), "event: tick\ndata: one\ndata: two\n\n");
    /// ```
    pub fn new(data: impl Into<String>) -> Self {
        Self { data: data.into(), ..Self::default() }
    }

    /// The same with a name. Line breaks, which no name can hold, are left out.
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(one_line(name));
        self
    }

    /// The same with an id, which a browser sends back when it reconnects.
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = Some(one_line(id));
        self
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            writeln!(f, "event: {name}")?;
        }
        if let Some(id) = &self.id {
            writeln!(f, "id: {id}")?;
        }
        for line in self.data.replace("\r\n", "\n").replace('\r', "\n").split('\n') {
            writeln!(f, "data: {line}")?;
        }
        writeln!(f)
    }
}

fn one_line(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_can_begin_another() {
        let event = Event::new("a\r\nevent: x\rb\n").named("n\ndata: y").with_id("1\r\n\r\n2\0");
        let text = event.to_string();
        assert_eq!(text, "event: ndata: y\nid: 12\ndata: a\ndata: event: x\ndata: b\ndata: \n\n");
    }

    #[test]
    fn an_event_without_text_is_still_an_event() {
        assert_eq!(Event::new("").to_string(), "data: \n\n");
    }
}
