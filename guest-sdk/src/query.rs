//! Query strings and HTML forms: `name=value&name=value`, percent-encoded.

/// Decodes percent-encoding, and `+` as a space. Bytes that are not UTF-8 become replacement characters.
///
/// ```
/// assert_eq!(spaceport_guest::decode("a%20b+c%2"), "a b c%2");
/// ```
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match (bytes[at], pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The pairs of a query string or of the body of an HTML form.
///
/// ```
/// let pairs = spaceport_guest::form("name=Ada&message=hello+there");
/// assert_eq!(pairs, [("name".into(), "Ada".into()), ("message".into(), "hello there".into())]);
/// ```
pub fn form(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// The first value of a name in a query string.
///
/// ```
/// assert_eq!(spaceport_guest::query_value("a=1&b=2", "b").as_deref(), Some("2"));
/// assert_eq!(spaceport_guest::query_value("a=1", "b"), None);
/// ```
pub fn query_value(query: &str, name: &str) -> Option<String> {
    form(query).into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
}
