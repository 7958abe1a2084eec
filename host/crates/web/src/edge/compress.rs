//! Content encodings: which one a visitor prefers, what is worth encoding, and the encoding itself.
//!
//! Only static Spaces are encoded here: their bytes are the same for everybody. An app's answers may mix secrets with what
//! a visitor sent, where sizes tell, and the app can encode them itself.

use std::io;

use async_compression::Level;
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use bytes::Bytes;
use futures_util::TryStreamExt;
use http::header::{self, HeaderMap};
use http_body::Frame;
use http_body_util::{BodyDataStream, BodyExt, StreamBody};
use spaceport_control::ports::{Body, BodyError};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::io::{ReaderStream, StreamReader};

/// Below this many bytes an encoding saves no packet.
pub(super) const MIN_SIZE: u64 = 1024;
/// Beyond this many bytes a stream is sent as it is: a visitor could make us encode it again and again.
pub(super) const MAX_STREAM: u64 = 32 << 20;
/// An encoded body is kept if it is smaller by at least one part in this many.
const WORTHWHILE: usize = 16;
/// Bytes handed on at a time from a stream's encoder.
const CHUNK: usize = 32 << 10;

/// The encodings offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Brotli: smallest, slowest.
    Br,
    /// Zstandard: nearly as small and fast.
    Zstd,
    /// Gzip: understood by everybody.
    Gzip,
}

/// Whether an encoding is made once and kept, or anew for every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// Made once: small wins.
    Once,
    /// Made each time: fast wins.
    EachTime,
}

impl Encoding {
    /// Every encoding offered.
    pub(super) const ALL: [Self; 3] = [Self::Br, Self::Zstd, Self::Gzip];

    /// Its name in headers.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Br => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }
}

/// Quality values of a visitor's `Accept-Encoding`, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preferences {
    by_encoding: [u16; 3],
    identity: u16,
}

impl Preferences {
    /// Of a request. Without the header nothing is assumed to be understood.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let (mut named, mut identity, mut rest) = ([None; 3], None, None);
        let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        for item in lines.flat_map(|line| line.split(',')) {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            let quality = quality(parameters);
            match name.trim() {
                "*" => rest = Some(quality),
                name if name.eq_ignore_ascii_case("identity") => identity = Some(quality),
                name if name.eq_ignore_ascii_case("x-gzip") => named[Encoding::Gzip as usize] = Some(quality),
                name => {
                    for encoding in Encoding::ALL {
                        if name.eq_ignore_ascii_case(encoding.as_str()) {
                            named[encoding as usize] = Some(quality);
                        }
                    }
                }
            }
        }
        Self {
            by_encoding: named.map(|quality| quality.or(rest).unwrap_or(0)),
            // Acceptable unless it is ruled out, but anything that was named is liked better.
            identity: identity.unwrap_or(if rest == Some(0) { 0 } else { 1 }),
        }
    }

    /// The encoding to use; `None` for the bytes as they are, also if nothing is acceptable.
    pub(super) fn choose(&self, effort: Effort) -> Option<Encoding> {
        let order = match effort {
            Effort::Once => [Encoding::Br, Encoding::Zstd, Encoding::Gzip],
            Effort::EachTime => [Encoding::Zstd, Encoding::Br, Encoding::Gzip],
        };
        let mut best: Option<(Encoding, u16)> = None;
        for encoding in order {
            let quality = self.by_encoding[encoding as usize];
            if quality > 0 && quality >= self.identity && best.is_none_or(|(_, best)| quality > best) {
                best = Some((encoding, quality));
            }
        }
        best.map(|(encoding, _)| encoding)
    }
}

/// `q=…` among an item's parameters, in thousandths; 1000 without one, 0 for nonsense.
fn quality(parameters: &str) -> u16 {
    for parameter in parameters.split(';') {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("q") {
            let value: f32 = value.trim().parse().unwrap_or(0.0);
            return if (0.0..=1.0).contains(&value) { (value * 1000.0).round() as u16 } else { 0 };
        }
    }
    1000
}

/// Whether a response with these headers gains from encoding and may be encoded. Events are left alone: an encoder would
/// hold them back.
pub(super) fn is_compressible(headers: &HeaderMap) -> bool {
    if headers.contains_key(header::CONTENT_ENCODING) || headers.contains_key(header::CONTENT_RANGE) {
        return false;
    }
    let mut rules = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    if rules.any(|line| line.split(',').any(|rule| rule.trim().eq_ignore_ascii_case("no-transform"))) {
        return false;
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.split_once('/') {
        Some(("text", subtype)) => subtype != "event-stream",
        Some(("application", subtype)) => {
            matches!(
                subtype,
                "javascript"
                    | "x-javascript"
                    | "json"
                    | "xml"
                    | "wasm"
                    | "manifest+json"
                    | "x-ndjson"
                    | "rtf"
                    | "x-sh"
                    | "yaml"
                    | "toml"
                    | "vnd.ms-fontobject"
            ) || subtype.ends_with("+json")
                || subtype.ends_with("+xml")
        }
        Some(("image", subtype)) => matches!(subtype, "svg+xml" | "bmp" | "x-icon" | "vnd.microsoft.icon"),
        Some(("font", subtype)) => matches!(subtype, "ttf" | "otf" | "collection"),
        Some(("model", subtype)) => subtype.ends_with("+json") || subtype == "obj",
        _ => false,
    }
}

/// Encodes a whole body; `None` if that gains next to nothing. To be called where blocking is allowed.
pub(super) fn encode_whole(body: &Bytes, encoding: Encoding) -> Option<Bytes> {
    let mut encoded = Vec::with_capacity(body.len() / 3);
    let mut reader = encoder(&body[..], encoding, Effort::Once);
    // Reading from memory is always ready.
    let done = futures_util::FutureExt::now_or_never(reader.read_to_end(&mut encoded))?;
    done.ok()?;
    encoded.shrink_to_fit();
    (encoded.len() + body.len() / WORTHWHILE <= body.len()).then(|| encoded.into())
}

/// Encodes a body on its way, holding the encoder's place until it is gone. An error in it stays an error, so the stream breaks as it would have.
pub(super) fn encode_stream(body: Body, encoding: Encoding, encoder_place: OwnedSemaphorePermit) -> Body {
    let bytes = BodyDataStream::new(body).map_err(io::Error::other);
    let encoded = ReaderStream::with_capacity(encoder(StreamReader::new(bytes), encoding, Effort::EachTime), CHUNK);
    let frames = encoded.map_ok(move |data| {
        let _held = &encoder_place;
        Frame::data(data)
    });
    StreamBody::new(frames.map_err(BodyError::from)).boxed_unsync()
}

fn encoder<'a>(
    reader: impl AsyncBufRead + Send + Unpin + 'a,
    encoding: Encoding,
    effort: Effort,
) -> Box<dyn AsyncRead + Send + Unpin + 'a> {
    // Levels where a step further costs more time than it saves bytes.
    let level = |once, each_time| Level::Precise(if effort == Effort::Once { once } else { each_time });
    match encoding {
        Encoding::Br => Box::new(BrotliEncoder::with_quality(reader, level(6, 3))),
        Encoding::Zstd => Box::new(ZstdEncoder::with_quality(reader, level(9, 3))),
        Encoding::Gzip => Box::new(GzipEncoder::with_quality(reader, level(6, 4))),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn choose(accept: &str, effort: Effort) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(accept).unwrap());
        Preferences::of(&headers).choose(effort)
    }

    #[test]
    fn the_liked_encoding_is_chosen() {
        for (accept, once) in [
            ("gzip, deflate, br, zstd", Some(Encoding::Br)),
            ("gzip", Some(Encoding::Gzip)),
            ("GZIP;Q=0.5", Some(Encoding::Gzip)),
            ("br;q=0.5, gzip", Some(Encoding::Gzip)),
            ("br;q=0, gzip;q=0", None),
            ("*", Some(Encoding::Br)),
            ("*;q=0", None),
            ("br;q=0, *", Some(Encoding::Zstd)),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.1, gzip;q=0.5", Some(Encoding::Gzip)),
            ("gzip;q=nonsense", None),
            ("gzip;q=7", None),
            ("deflate", None),
            ("", None),
        ] {
            assert_eq!(choose(accept, Effort::Once), once, "{accept}");
        }
        assert_eq!(choose("gzip, br, zstd", Effort::EachTime), Some(Encoding::Zstd));
        assert_eq!(Preferences::of(&HeaderMap::new()).choose(Effort::Once), None);
    }

    #[test]
    fn what_is_encoded_already_or_must_not_be_is_left_alone() {
        let compressible = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_compressible(&headers)
        };
        for kind in
            ["text/html; charset=utf-8", "Application/JSON", "image/svg+xml", "application/wasm", "application/ld+json"]
        {
            assert!(compressible(&[("content-type", kind)]), "{kind}");
        }
        for kind in ["image/png", "font/woff2", "application/zip", "text/event-stream", "", "text"] {
            assert!(!compressible(&[("content-type", kind)]), "{kind}");
        }
        assert!(!compressible(&[("content-type", "text/css"), ("content-encoding", "gzip")]));
        assert!(!compressible(&[("content-type", "text/css"), ("cache-control", "max-age=1, No-Transform")]));
    }

    #[test]
    fn an_encoding_that_gains_nothing_is_not_used() {
        let noise: Vec<u8> = (0..4096).map(|_| rand::random()).collect();
        assert_eq!(encode_whole(&noise.into(), Encoding::Gzip), None);
        let text = Bytes::from("the same again and again ".repeat(200));
        for encoding in Encoding::ALL {
            assert!(encode_whole(&text, encoding).is_some_and(|encoded| encoded.len() < 300), "{encoding:?}");
        }
    }
}
