//! Git's framing: lines with their length in four hexadecimal digits, `0000` as the end of a group, and bands, by which
//! several streams share one.

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest payload of one packet.
pub(crate) const MAX_PAYLOAD: usize = 65_516;
/// Longest payload of a packet with a band.
const MAX_BAND: usize = MAX_PAYLOAD - 1;
/// Ends a group of packets.
pub(crate) const FLUSH: &[u8] = b"0000";
/// Digits of a length.
const HEAD: usize = 4;

/// The band of what the client's git reads.
pub(crate) const DATA: u8 = 1;
/// The band of what the client's user reads.
pub(crate) const TEXT: u8 = 2;

/// One packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// A payload.
    Line(Vec<u8>),
    /// The end of a group.
    Flush,
}

/// What comes is not in packets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PacketError {
    /// The stream broke.
    #[error("the request broke off: {0}")]
    Io(#[from] std::io::Error),
    /// The length is none.
    #[error("the request is not in git's packets")]
    Malformed,
}

/// The next packet; `None` at the end of the stream.
pub(crate) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<Packet>, PacketError> {
    let mut head = [0; HEAD];
    let first = from.read(&mut head).await?;
    if first == 0 {
        return Ok(None);
    }
    from.read_exact(&mut head[first..]).await?;
    let length = std::str::from_utf8(&head).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let length = length.and_then(|text| usize::from_str_radix(text, 16).ok()).ok_or(PacketError::Malformed)?;
    match length {
        0 => Ok(Some(Packet::Flush)),
        HEAD..=0xffff if length - HEAD <= MAX_PAYLOAD => {
            let mut payload = vec![0; length - HEAD];
            from.read_exact(&mut payload).await?;
            Ok(Some(Packet::Line(payload)))
        }
        _ => Err(PacketError::Malformed),
    }
}

/// Appends a packet. A payload that is too long for one is a mistake of ours.
pub(crate) fn line(into: &mut BytesMut, payload: &[u8]) {
    debug_assert!(payload.len() <= MAX_PAYLOAD);
    into.put_slice(format!("{:04x}", payload.len() + HEAD).as_bytes());
    into.put_slice(payload);
}

/// Bytes on a band, in as many packets as they take.
pub(crate) fn on_band(band: u8, bytes: &[u8]) -> Bytes {
    let mut packets = BytesMut::with_capacity(bytes.len() + HEAD + 1);
    for piece in bytes.chunks(MAX_BAND) {
        packets.put_slice(format!("{:04x}", piece.len() + HEAD + 1).as_bytes());
        packets.put_u8(band);
        packets.put_slice(piece);
    }
    packets.freeze()
}

/// A packet that says nothing.
pub(crate) fn heartbeat() -> Bytes {
    Bytes::from_static(b"0005\x01")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn packets_read_back_as_they_were_written() {
        let mut bytes = BytesMut::new();
        line(&mut bytes, b"hello\n");
        line(&mut bytes, b"");
        bytes.put_slice(FLUSH);
        let mut from = bytes.as_ref();
        assert_eq!(read(&mut from).await.unwrap(), Some(Packet::Line(b"hello\n".to_vec())));
        assert_eq!(read(&mut from).await.unwrap(), Some(Packet::Line(Vec::new())));
        assert_eq!(read(&mut from).await.unwrap(), Some(Packet::Flush));
        assert_eq!(read(&mut from).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_packet_is_refused() {
        for bytes in ["0001", "0002", "0003", "+00a", "zzzz", "fff9", "000", "0010short"] {
            assert!(read(&mut bytes.as_bytes()).await.is_err(), "{bytes}");
        }
    }

    #[test]
    fn long_text_takes_several_packets() {
        let packets = on_band(TEXT, &vec![b'x'; MAX_BAND + 1]);
        assert_eq!(&packets[..5], b"fff0\x02");
        assert_eq!(&packets[MAX_BAND + 5..], b"0006\x02x");
        assert!(on_band(DATA, b"").is_empty());
    }
}
