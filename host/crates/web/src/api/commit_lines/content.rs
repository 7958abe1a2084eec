//! The content of a file, decoded from base64 while it arrives.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding may be there or not: clients differ.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What has been decoded, and the characters that wait for the rest of their group of four.
#[derive(Default)]
pub(super) struct Content {
    decoded: Vec<u8>,
    pending: Vec<u8>,
    is_escaped: bool,
}

impl Content {
    /// Takes the next bytes of the JSON string, escapes and all. The one escape that base64 has a use for is `\/`; line
    /// breaks are left out.
    pub(super) fn feed(&mut self, raw: &[u8]) -> Result<(), String> {
        for run in raw.split_inclusive(|byte| *byte == b'\\') {
            let mut run = run;
            if self.is_escaped && !run.is_empty() {
                self.is_escaped = false;
                match run[0] {
                    b'/' => {}
                    b'n' | b'r' => run = &run[1..],
                    _ => return Err("the content is not base64".to_owned()),
                }
            }
            if let Some(text) = run.strip_suffix(b"\\") {
                self.is_escaped = true;
                run = text;
            }
            self.pending.extend_from_slice(run);
        }
        // Groups of four decode on their own, but the last of them only when nothing follows: it may be padded.
        let whole = self.pending.len().saturating_sub(4) & !3;
        self.decode_pending(whole)
    }

    /// The whole content.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, String> {
        self.decode_pending(self.pending.len())?;
        Ok(self.decoded)
    }

    /// Decodes a whole string without escapes.
    pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, String> {
        let mut content = Self::default();
        content.pending.extend(text.iter().filter(|byte| !matches!(byte, b'\n' | b'\r')));
        content.finish()
    }

    fn decode_pending(&mut self, count: usize) -> Result<(), String> {
        if self.pending[..count].contains(&b'=') && count < self.pending.len() {
            return Err("the content is not base64: characters follow its padding".to_owned());
        }
        ENGINE
            .decode_vec(&self.pending[..count], &mut self.decoded)
            .map_err(|error| format!("the content is not base64: {error}"))?;
        self.pending.drain(..count);
        Ok(())
    }
}
