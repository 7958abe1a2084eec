//! Where in a page the script belongs: right after the `<head>` tag, without one after the doctype, else at the start.
//!
//! A `<head>` tag is one only as long as nothing but white space, comments, a doctype and `<html>` came before it: after
//! anything else HTML has opened the head by itself and ignores the tag. So the search reads tokens as HTML does (WHATWG
//! HTML, 13.2.5) up to the first that decides, byte by byte: it keeps nothing of what it has read, takes pages cut into
//! any pieces, and the quotes, comments and longer names that only look like the tag do not mislead it. A page in UTF-16
//! says so by its byte order mark; every other encoding of the web has ASCII's bytes for what matters here.

/// How the page's text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// ASCII's bytes mean ASCII's letters: UTF-8 and what was there before it.
    AsciiCompatible,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
}

/// Where the script belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Bytes of the page before it.
    pub offset: u64,
    /// How it has to be written there.
    pub encoding: Encoding,
}

/// Finds the place while the page comes in pieces.
#[derive(Debug, Clone)]
pub struct Scanner {
    /// Bytes taken so far.
    taken: u64,
    /// The first bytes, until it is known whether they are a byte order mark.
    mark: Option<Vec<u8>>,
    encoding: Encoding,
    /// The first half of a UTF-16 unit.
    half: Option<u8>,
    /// Where the script goes if there is no head: after the doctype, or after the byte order mark.
    fallback: u64,
    has_doctype: bool,
    state: State,
    /// What the tag or the declaration is called, as far as it was read and as far as it matters.
    name: Name,
}

/// Where in a token the search stands; the names are the standard's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Data,
    TagOpen,
    EndTagOpen,
    TagName,
    BeforeAttributeName,
    AttributeName,
    AfterAttributeName,
    BeforeAttributeValue,
    AttributeValueQuoted(u8),
    AttributeValueUnquoted,
    MarkupDeclarationOpen,
    CommentStart,
    CommentStartDash,
    Comment,
    CommentEndDash,
    CommentEnd,
    CommentEndBang,
    BogusComment,
    Doctype,
}

/// What a unit of the page led to.
enum Step {
    Next(State),
    /// A doctype ended here.
    AfterDoctype,
    /// A `<head>` tag ended here.
    Head,
    /// No `<head>` tag can follow.
    NoHead,
}

/// Letters of a name that are kept: one more than in the longest name looked for, `doctype`.
const NAME: usize = 8;
/// Stands for any character beyond ASCII.
const OTHER: u8 = 0x80;

/// A tag's name in lower case, with `/` before an end tag's.
#[derive(Debug, Clone, Copy, Default)]
struct Name {
    letters: [u8; NAME],
    length: usize,
}

impl Name {
    fn push(&mut self, letter: u8) {
        if let Some(slot) = self.letters.get_mut(self.length) {
            *slot = letter.to_ascii_lowercase();
            self.length += 1;
        }
    }

    fn text(&self) -> &[u8] {
        &self.letters[..self.length]
    }
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            taken: 0,
            mark: Some(Vec::new()),
            encoding: Encoding::AsciiCompatible,
            half: None,
            fallback: 0,
            has_doctype: false,
            state: State::Data,
            name: Name::default(),
        }
    }
}

impl Scanner {
    /// Takes the next piece of the page; says the place as soon as it is certain.
    pub fn feed(&mut self, piece: &[u8]) -> Option<Place> {
        piece.iter().find_map(|byte| self.take(*byte))
    }

    /// The place, after the whole page.
    pub fn finish(mut self) -> Place {
        let rest = self.mark.take().unwrap_or_default();
        self.taken = 0;
        rest.iter().find_map(|byte| self.take_text(*byte)).unwrap_or(self.place(self.fallback))
    }

    fn place(&self, offset: u64) -> Place {
        Place { offset, encoding: self.encoding }
    }

    fn take(&mut self, byte: u8) -> Option<Place> {
        let Some(mark) = &mut self.mark else { return self.take_text(byte) };
        mark.push(byte);
        match mark[..] {
            [0xEF] | [0xEF, 0xBB] | [0xFF] | [0xFE] => return None,
            [0xEF, 0xBB, 0xBF] => self.fallback = 3,
            [0xFF, 0xFE] => (self.fallback, self.encoding) = (2, Encoding::Utf16Le),
            [0xFE, 0xFF] => (self.fallback, self.encoding) = (2, Encoding::Utf16Be),
            _ => {}
        }
        let read = self.mark.take().unwrap_or_default();
        self.taken = self.fallback;
        read.iter().skip(self.fallback as usize).find_map(|byte| self.take_text(*byte))
    }

    fn take_text(&mut self, byte: u8) -> Option<Place> {
        self.taken += 1;
        let unit = match (self.encoding, self.half.take()) {
            (Encoding::AsciiCompatible, _) => u16::from(byte),
            (_, None) => {
                self.half = Some(byte);
                return None;
            }
            (Encoding::Utf16Le, Some(first)) => u16::from_le_bytes([first, byte]),
            (Encoding::Utf16Be, Some(first)) => u16::from_be_bytes([first, byte]),
        };
        let letter = u8::try_from(unit).ok().filter(u8::is_ascii).unwrap_or(OTHER);
        match self.step(letter) {
            Step::Next(state) => self.state = state,
            Step::AfterDoctype => {
                self.state = State::Data;
                if !self.has_doctype {
                    (self.has_doctype, self.fallback) = (true, self.taken);
                }
            }
            Step::Head => return Some(self.place(self.taken)),
            Step::NoHead => return Some(self.place(self.fallback)),
        }
        None
    }

    fn step(&mut self, c: u8) -> Step {
        use State::*;
        let next = match (self.state, c) {
            (Data, b'\t' | b'\n' | 0x0C | b'\r' | b' ') => Data,
            (Data, b'<') => TagOpen,
            (Data, _) => return Step::NoHead,
            (TagOpen, b'!') => self.begin_name(MarkupDeclarationOpen),
            (TagOpen, b'?') => BogusComment,
            (TagOpen, b'/') => EndTagOpen,
            (TagOpen, b'a'..=b'z' | b'A'..=b'Z') => self.begin_tag(c),
            (TagOpen, _) => return Step::NoHead,
            (EndTagOpen, b'a'..=b'z' | b'A'..=b'Z') => self.begin_end_tag(c),
            (EndTagOpen, b'>') => Data,
            (EndTagOpen, _) => BogusComment,
            (MarkupDeclarationOpen, _) => return self.declaration(c),
            (Doctype, b'>') => return Step::AfterDoctype,
            (Doctype, _) => Doctype,
            (BogusComment, b'>') => Data,
            (BogusComment, _) => BogusComment,
            (TagName | BeforeAttributeName | AttributeName | AfterAttributeName, b'>')
            | (BeforeAttributeValue | AttributeValueUnquoted, b'>') => return self.end_of_tag(),
            (TagName, _) if !is_space(c) && c != b'/' => {
                self.name.push(c);
                TagName
            }
            (CommentStart | CommentStartDash | Comment | CommentEndDash | CommentEnd | CommentEndBang, _) => {
                comment(self.state, c)
            }
            _ => attribute(self.state, c),
        };
        Step::Next(next)
    }

    fn begin_name(&mut self, state: State) -> State {
        self.name = Name::default();
        state
    }

    fn begin_tag(&mut self, c: u8) -> State {
        self.name = Name::default();
        self.name.push(c);
        State::TagName
    }

    fn begin_end_tag(&mut self, c: u8) -> State {
        self.begin_tag(b'/');
        self.name.push(c);
        State::TagName
    }

    /// After `<!`: a comment, a doctype, or something that HTML skips up to the next `>`.
    fn declaration(&mut self, c: u8) -> Step {
        self.name.push(c);
        Step::Next(match self.name.text() {
            b"--" => State::CommentStart,
            b"doctype" => State::Doctype,
            start if b"--".starts_with(start) || b"doctype".starts_with(start) => State::MarkupDeclarationOpen,
            _ if c == b'>' => State::Data,
            _ => State::BogusComment,
        })
    }

    fn end_of_tag(&self) -> Step {
        match self.name.text() {
            b"head" => Step::Head,
            b"html" => Step::Next(State::Data),
            // These open the head by themselves; other end tags mean nothing so early.
            b"/head" | b"/body" | b"/html" | b"/br" => Step::NoHead,
            name if name.starts_with(b"/") => Step::Next(State::Data),
            _ => Step::NoHead,
        }
    }
}

fn comment(state: State, c: u8) -> State {
    use State::*;
    match (state, c) {
        (CommentStart, b'-') => CommentStartDash,
        (CommentStart | CommentStartDash | CommentEnd | CommentEndBang, b'>') => Data,
        (CommentStartDash | CommentEndDash | CommentEnd, b'-') => CommentEnd,
        (CommentEnd, b'!') => CommentEndBang,
        (Comment | CommentEndBang, b'-') => CommentEndDash,
        _ => Comment,
    }
}

/// In a tag, after its name; `>` outside of quotes never comes here.
fn attribute(state: State, c: u8) -> State {
    use State::*;
    match (state, c) {
        (AttributeValueQuoted(quote), _) if c == quote => BeforeAttributeName,
        (AttributeValueQuoted(quote), _) => AttributeValueQuoted(quote),
        (AttributeName, _) if is_space(c) => AfterAttributeName,
        (AfterAttributeName | BeforeAttributeValue, _) if is_space(c) => state,
        (_, _) if is_space(c) => BeforeAttributeName,
        (BeforeAttributeValue, b'"' | b'\'') => AttributeValueQuoted(c),
        (BeforeAttributeValue | AttributeValueUnquoted, _) => AttributeValueUnquoted,
        (_, b'/') => BeforeAttributeName,
        (AttributeName | AfterAttributeName, b'=') => BeforeAttributeValue,
        _ => AttributeName,
    }
}

fn is_space(c: u8) -> bool {
    matches!(c, b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}

/// ASCII text as a page of this encoding holds it.
pub fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::AsciiCompatible => text.as_bytes().to_vec(),
        Encoding::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Encoding::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    }
}

#[cfg(test)]
mod tests;
