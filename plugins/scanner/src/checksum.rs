//! The checksum in this platform's own tokens: the CRC-32 of what stands before it, in six digits of base 62.

/// Random letters and digits of a token.
pub const RANDOM: usize = 30;
/// Digits of the checksum.
pub const DIGITS: usize = 6;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The polynomial of zip and PNG, its bits in reverse.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// Whether the end of a token, after its prefix, fits the rest.
pub fn is_right(body: &str) -> bool {
    body.len() == RANDOM + DIGITS
        && body.split_at_checked(RANDOM).is_some_and(|(random, check)| check.as_bytes() == digits(random.as_bytes()))
}

fn digits(random: &[u8]) -> [u8; DIGITS] {
    let mut rest = crc32(random) as usize;
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[rest % BASE62.len()];
        rest /= BASE62.len();
    }
    digits
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 })
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_one_that_everybody_computes() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn one_letter_more_or_less_or_changed_is_noticed() {
        let random = "abcdefghijABCDEFGHIJ0123456789";
        let body = format!("{random}{}", String::from_utf8(digits(random.as_bytes()).to_vec()).unwrap());
        assert!(is_right(&body));
        assert!(!is_right(&body[1..]) && !is_right(&format!("{body}0")) && !is_right(&body.replace('c', "d")));
        assert!(!is_right(&"é".repeat(18)));
    }
}
