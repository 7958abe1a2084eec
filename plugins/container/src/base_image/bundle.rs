//! A file of certificates, taken apart: the system in the image wants each in a file of its own.

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates in a text, without what people write between them.
pub(super) fn certificates(text: &str) -> Result<Vec<String>, &'static str> {
    let mut found = Vec::new();
    let mut current: Option<String> = None;
    for line in text.lines().map(str::trim) {
        match (line, &mut current) {
            (BEGIN, None) => current = Some(format!("{BEGIN}\n")),
            (BEGIN, Some(_)) => return Err("a certificate begins within another one"),
            (END, None) => return Err("a certificate ends that has not begun"),
            (END, Some(certificate)) => {
                certificate.push_str(END);
                certificate.push('\n');
                found.extend(current.take());
            }
            (line, Some(certificate)) => {
                certificate.push_str(line);
                certificate.push('\n');
            }
            (_, None) => {}
        }
    }
    match (current, found.is_empty()) {
        (Some(_), _) => Err("its last certificate has no end"),
        (None, true) => Err("there is no certificate in it"),
        (None, false) => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_certificate_is_taken_out_as_it_is() {
        let text = format!("# one\n{BEGIN}\nAAAA\r\nBBBB\n{END}\n\nSubject: two\n{BEGIN}\nCCCC\n{END}");
        let expected = [format!("{BEGIN}\nAAAA\nBBBB\n{END}\n"), format!("{BEGIN}\nCCCC\n{END}\n")];
        assert_eq!(certificates(&text).unwrap(), expected);
    }

    #[test]
    fn what_is_no_bundle_is_refused() {
        let nested = format!("{BEGIN}\n{BEGIN}\n{END}\n");
        for (text, word) in [("", "no certificate"), (nested.as_str(), "within"), (BEGIN, "no end"), (END, "not begun")]
        {
            assert!(certificates(text).unwrap_err().contains(word), "{text}");
        }
    }
}
