use super::*;

const ED25519_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC48nO8xMX+ocH3mO9v+oeOmbG1P7UkHzcXNQg9d7ZtV";

/// Keys as `ssh-keygen` made them, with the fingerprints that it prints.
const KEYS: [(&str, KeyKind, &str); 5] = [
    (ED25519_KEY, KeyKind::Ed25519, "SHA256:rZujKUWDd04xQ7OyNJAjYIfLzD6FUi/Ni8sv7habCjE"),
    (
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBNl3+Gt6ckVcfNNtiUKytfCuG/UoChKbuLk3PYYC7joUCgq0zjx9ynEP3Vs2bReBmEoQkwX9LFV39JQZY/DLjsA=",
        KeyKind::EcdsaP256,
        "SHA256:mvdW5BZvy7SvaYJpyGvGs5eeITUiwidRJfqI/rWzChA",
    ),
    (
        "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBF3YemtCUwoER56NdQf5juGvz7565IG1hhclFpoJHqsweNHTPcHvGR/PA//ngJrOTSSuEcHACurFEWhjFtm9q0c1UYpsA484dvbRUmOwGqsrrxksnEg2aKp/roYzmv6kug==",
        KeyKind::EcdsaP384,
        "SHA256:dBFfOVy7aYkqT6o9S4s63h0IFvuXb9uFLeC1cVNymgk",
    ),
    (
        "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBABU51WZnaaVjtnM4Z80FmQicbYTXwbsS8U0o0HNuXfQrUgmSjnooS0XstPzW2+5Gx9p4NOjmwSQGarnfEMPC0iIIAF1q9IHX4iUxuFaNGcAfxIsUvXmo2rPZm3pp8p7ZtDzdsrU1323AjOlY4ygA3dAMpGIRfETqyK/M/woMLYjUWsHuQ==",
        KeyKind::EcdsaP521,
        "SHA256:rP3+U7Pz5SZcP2dMKN3ecqeH4vOSVWrKh1Fy9EaSOn4",
    ),
    (
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC6CGqhBmj7auXUNnT0eUgquRaDHqmWXyXPoIpwibhcuzUT3uAy3UozpdWyO6EHEcRNbZ+Vq+52g+8QndGc39GkonV8OacGcpXulJVNjaLf/TujRvfI0VQFdclXBkBJGgxVJc3syrqn04agPrOg/1vjoq11nrYGfbyfHbb+z3ohtfPBpxS4ZDtWdrq5MHgshYWBXIjRV535+tzghZ/BsGTJ1DkoHU/ssKc2x+BFN+9C0vdOE1/kBZXsgmROQbbqgkoBoItFf3zRAaubIn/eGT2vT3spRkF+S8y5oIwQNMn5Ef9r/RsSq1c6hDOCknOZ9qVz6B7k8RIBJF7SFAl+PmL7",
        KeyKind::Rsa,
        "SHA256:udr3tV/TfoSiHAaTxBY2iSJxFI0gQvxMg9gG4OVimFo",
    ),
];

const SMALL_RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC8SvTBoEEVqSB0x2yHBjgflBrrGQLXnZq5XckLKZrdclbIpIBx+J7i5edmxeP3faMBApZ3OiAHJEhOy4+zAKp9X3JL/A9eUH253FB2B1PPR/ZTuvsms3KqtGpZUvtN/rYF36Fp9dHXlgLns27OoA3AjDMGn+60RPtXFHOTdUQ2tw==";

/// A key in its text form, of fields.
fn key(kind: &str, fields: &[&[u8]]) -> String {
    let mut bytes = Vec::new();
    for field in std::iter::once(&kind.as_bytes()).chain(fields) {
        bytes.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(field);
    }
    format!("{kind} {}", BASE64_STANDARD.encode(bytes))
}

#[test]
fn keys_are_read_with_the_fingerprint_that_their_makers_print() {
    for (text, kind, fingerprint) in KEYS {
        let key = PublicKey::parse(text).unwrap();
        assert_eq!((key.kind(), key.fingerprint().to_string().as_str()), (kind, fingerprint));
        assert_eq!((key.text().as_str(), key.comment()), (text, ""));
        assert_eq!(Fingerprint::from_id(&key.fingerprint().id()), Some(key.fingerprint()));
        let commented = PublicKey::parse(&format!("  {text} ada's laptop\n")).unwrap();
        assert_eq!((commented.comment(), commented.fingerprint()), ("ada's laptop", key.fingerprint()));
    }
}

#[test]
fn hardware_keys_are_read() {
    let point = [&[4][..], &[7; 64]].concat();
    for (kind, fields) in [
        (KeyKind::HardwareEd25519, vec![&[7; 32][..], b"ssh:"]),
        (KeyKind::HardwareEcdsaP256, vec![b"nistp256", &point, b"ssh:"]),
    ] {
        let text = key(kind.as_str(), &fields);
        assert_eq!(PublicKey::parse(&text).unwrap().kind(), kind);
        assert_eq!(
            PublicKey::parse(&key(kind.as_str(), &fields[..fields.len() - 1])),
            Err(KeyError::Damaged(kind.as_str()))
        );
    }
}

#[test]
fn what_is_no_key_is_refused_with_what_to_do_instead() {
    let long = format!("ssh-ed25519 {}", "A".repeat(MAX_KEY_TEXT));
    let two = format!("{ED25519_KEY}\n{ED25519_KEY}");
    let options = format!("command=\"ls\" {ED25519_KEY}");
    let foreign = ED25519_KEY.replacen("ssh-ed25519", "ecdsa-sha2-nistp256", 1);
    let cut = &ED25519_KEY[..ED25519_KEY.len() - 8];
    for (text, words) in [
        ("", "paste the content of a .pub file"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n", "private key"),
        (&long, "at most"),
        (&two, "one line"),
        (&options, "begins with its type"),
        ("AAAAC3NzaC1lZDI1NTE5AAAA", "begins with its type"),
        ("ssh-dss AAAAB3NzaC1kc3M=", "\"ssh-dss\" are not taken"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "certificate"),
        ("ssh-ed25519", "damaged"),
        ("ssh-ed25519 !!!!", "damaged"),
        (cut, "damaged"),
        (&foreign, "damaged"),
        (SMALL_RSA, "1024 bits"),
    ] {
        let error = PublicKey::parse(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn a_key_has_one_form_only() {
    let modulus = [&[0, 0x80][..], &[1; 255]].concat();
    let good = key("ssh-rsa", &[&[1, 0, 1], &modulus]);
    assert_eq!(PublicKey::parse(&good).unwrap().kind(), KeyKind::Rsa);
    let padded = [&[0][..], &modulus].concat();
    for fields in [
        vec![&[1, 0, 1][..], &padded],
        vec![&[0, 1, 0, 1], &modulus],
        vec![&[1, 0, 1], &modulus[1..]],
        vec![&[1, 0, 1], &modulus, b"more"],
        vec![&[], &modulus],
        vec![&[1, 0, 1]],
    ] {
        assert_eq!(PublicKey::parse(&key("ssh-rsa", &fields)), Err(KeyError::Damaged("ssh-rsa")), "{fields:?}");
    }
    let huge = [&[1][..], &[0; 1024]].concat();
    assert_eq!(PublicKey::parse(&key("ssh-rsa", &[&[1, 0, 1], &huge])), Err(KeyError::RsaSize(8193)));
}
