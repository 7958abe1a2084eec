//! Where the front matter is in a README: between a first line of `---` and the next one.

use super::{MAX_FRONT_MATTER, ManifestError};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text between the two lines. A README that merely starts with a horizontal rule has none.
pub(super) fn find(readme: &[u8]) -> Result<&str, ManifestError> {
    let readme = readme.strip_prefix(BYTE_ORDER_MARK).unwrap_or(readme);
    let mut lines = readme.split_inclusive(|byte| *byte == b'\n');
    let first = lines.next().filter(|line| is_fence(line)).ok_or(ManifestError::Missing)?;
    let block = readme.get(first.len()..).unwrap_or_default();
    let length = length_to_fence(lines).ok_or(ManifestError::Missing)?;
    if length > MAX_FRONT_MATTER {
        return Err(invalid(format!(
            "the front matter has {length} bytes: write at most {MAX_FRONT_MATTER}, and the rest below it"
        )));
    }
    let block = block.get(..length).unwrap_or_default();
    std::str::from_utf8(block)
        .map_err(|_| invalid("the front matter is not UTF-8: save the file with this encoding".to_owned()))
}

fn length_to_fence<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<usize> {
    let mut length = 0;
    for line in lines {
        if is_fence(line) {
            return Some(length);
        }
        length += line.len();
    }
    None
}

/// `---`, with nothing else but space after it.
fn is_fence(line: &[u8]) -> bool {
    line.strip_prefix(b"---").is_some_and(|rest| rest.iter().all(u8::is_ascii_whitespace))
}

fn invalid(problem: String) -> ManifestError {
    ManifestError::Invalid(vec![problem])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_found_whatever_the_line_ends() {
        for (readme, block) in [
            ("---\na: 1\n---\ntext", "a: 1\n"),
            ("\u{feff}---\na: 1\n---", "a: 1\n"),
            ("---\r\na: 1\r\n---\r\ntext", "a: 1\r\n"),
            ("---  \na: 1\n--- \n", "a: 1\n"),
            ("---\n---\n", ""),
            ("---\na: |\n  ----\n---\n", "a: |\n  ----\n"),
        ] {
            assert_eq!(find(readme.as_bytes()), Ok(block), "{readme:?}");
        }
    }

    #[test]
    fn without_two_fences_there_is_none() {
        for readme in [
            "",
            "text",
            "\n---\na: 1\n---\n",
            "---\na: 1\n",
            "--- x\na: 1\n---\n",
            " ---\na: 1\n---\n",
            "----\na: 1\n----\n",
        ] {
            assert_eq!(find(readme.as_bytes()), Err(ManifestError::Missing), "{readme:?}");
        }
    }

    #[test]
    fn a_block_that_is_too_large_or_not_text_is_refused() {
        let large = format!("---\na: {}\n---\n", "x".repeat(MAX_FRONT_MATTER));
        assert!(matches!(find(large.as_bytes()), Err(ManifestError::Invalid(_))));
        let fits = format!("---\na: {}\n---\n{}", "x".repeat(MAX_FRONT_MATTER - 4), "y".repeat(1 << 20));
        assert!(find(fits.as_bytes()).is_ok());
        assert!(matches!(find(b"---\na: \xff\n---\n"), Err(ManifestError::Invalid(_))));
    }
}
