//! A page with the script in it, as it goes to the visitor.
//!
//! The place is searched by reading the file, without keeping it; then the file is read again from where the first piece
//! ends. Pages of one piece, which is nearly all of them, are read once.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::charset::page_type;
use crate::inject::{self, Scanner};

/// Bytes read at a time: what the host hands over in one call.
const PIECE: usize = 64 << 10;

/// A page that was opened and whose place for the script is known.
pub struct Page {
    /// The first piece of the file.
    start: Vec<u8>,
    /// The rest, if there is any.
    rest: Option<File>,
    offset: u64,
    script: Vec<u8>,
    length: u64,
}

impl Page {
    /// Opens a page, to put this script element into it.
    pub fn open(path: &Path, script: &str) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let start = read_piece(&mut file)?;
        let has_rest = start.len() == PIECE;
        let mut scanner = Scanner::default();
        let mut place = scanner.feed(&start);
        while has_rest && place.is_none() {
            let piece = read_piece(&mut file)?;
            place = scanner.feed(&piece);
            if piece.len() < PIECE {
                break;
            }
        }
        let place = place.unwrap_or_else(|| scanner.finish());
        let script = inject::encode(script, place.encoding);
        let file_length = if has_rest { metadata.len() } else { start.len() as u64 };
        let length = file_length + script.len() as u64;
        let rest = has_rest.then_some(file);
        Ok(Self { start, rest, offset: place.offset, script, length })
    }

    /// Bytes of the page, script included.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Its `Content-Type`.
    pub fn content_type(&self) -> Cow<'static, str> {
        page_type(&self.start, self.rest.is_none())
    }

    /// The whole of it, if it is small enough to send at once.
    pub fn into_bytes(self) -> Result<Vec<u8>, Self> {
        if self.rest.is_some() {
            return Err(self);
        }
        let mut bytes = Vec::with_capacity(self.start.len() + self.script.len());
        self.write(&mut bytes).expect("memory takes everything, and nothing is read");
        Ok(bytes)
    }

    /// Writes the whole of it.
    pub fn write(mut self, out: &mut dyn Write) -> io::Result<()> {
        let start = std::mem::take(&mut self.start);
        if let Some(file) = &mut self.rest {
            file.seek(SeekFrom::Start(start.len() as u64))?;
        }
        match usize::try_from(self.offset).ok().and_then(|offset| start.split_at_checked(offset)) {
            Some((before, after)) => {
                out.write_all(before)?;
                out.write_all(&self.script)?;
                out.write_all(after)?;
            }
            None => {
                out.write_all(&start)?;
                self.copy(self.offset - start.len() as u64, out)?;
                out.write_all(&self.script)?;
            }
        }
        self.copy(u64::MAX, out)
    }

    /// Copies up to `bytes` of the rest.
    fn copy(&mut self, bytes: u64, out: &mut dyn Write) -> io::Result<()> {
        let Some(file) = &mut self.rest else { return Ok(()) };
        copy(&mut file.take(bytes), out)
    }
}

/// Copies everything, by pieces as large as the host hands over.
pub fn copy(from: &mut dyn Read, out: &mut dyn Write) -> io::Result<()> {
    loop {
        let piece = read_piece(from)?;
        out.write_all(&piece)?;
        if piece.len() < PIECE {
            return Ok(());
        }
    }
}

/// Exactly one piece, or less at the end.
fn read_piece(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(PIECE);
    from.take(PIECE as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCRIPT: &str = "<script>S</script>";

    fn served(page: &[u8]) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.html");
        std::fs::write(&path, page).unwrap();
        let page = Page::open(&path, SCRIPT).unwrap();
        let length = page.length();
        let bytes = page.into_bytes().unwrap_or_else(|page| {
            let mut bytes = Vec::new();
            page.write(&mut bytes).unwrap();
            bytes
        });
        assert_eq!(bytes.len() as u64, length);
        bytes
    }

    #[test]
    fn the_script_is_put_in_wherever_the_pieces_end() {
        let tag = "<!doctype html><html><head>";
        for filler in (0..40).map(|n| PIECE - 40 + n).chain([0, 3 * PIECE, 3 * PIECE + 1]) {
            for rest in [0, 1, PIECE, 5 * PIECE + 7] {
                let comment = format!("<!--{}-->", "x".repeat(filler));
                let page = format!("{comment}{tag}{}", "y".repeat(rest));
                let expected = format!("{comment}{tag}{SCRIPT}{}", "y".repeat(rest));
                assert!(served(page.as_bytes()) == expected.as_bytes(), "{filler} {rest}");
            }
        }
    }

    #[test]
    fn a_page_of_megabytes_without_a_head_gets_it_after_the_doctype() {
        let body = vec![b' '; 5 << 20];
        let page = [b"<!doctype html>", &body[..]].concat();
        let expected = [b"<!doctype html>", SCRIPT.as_bytes(), &body].concat();
        assert!(served(&page) == expected);
    }

    #[test]
    fn a_folder_is_no_page() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Page::open(dir.path(), SCRIPT).is_err());
        assert!(Page::open(&dir.path().join("absent"), SCRIPT).is_err());
    }

    proptest! {
        #[test]
        fn the_page_without_the_script_is_the_file(page in proptest::collection::vec(any::<u8>(), 0..200), is_html in any::<bool>()) {
            let page = if is_html { [b"<!doctype html><head>", &page[..]].concat() } else { page };
            let served = served(&page);
            let script = SCRIPT.as_bytes();
            let wide: Vec<u8> = SCRIPT.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let wide_be: Vec<u8> = SCRIPT.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let without = [script, &wide, &wide_be].into_iter().find_map(|script| {
                let at = served.windows(script.len()).position(|window| window == script)?;
                Some([&served[..at], &served[at + script.len()..]].concat())
            });
            prop_assert_eq!(without, Some(page));
        }
    }
}
