//! Every rule with what it finds and what it leaves alone. Secrets are put together here, so that this file has none.

use std::time::Instant;

use proptest::prelude::*;

use super::*;

const ALPHANUMERIC: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Letters as a service would draw them, the same for the same seed.
fn random(alphabet: &str, length: usize, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(alphabet.as_bytes()[(state >> 33) as usize % alphabet.len()])
    };
    (0..length).map(|_| letter()).collect()
}

fn plain(length: usize, seed: u64) -> String {
    random(ALPHANUMERIC, length, seed)
}

/// The rules that see something, and what they see.
fn rules<'a>(path: &str, text: &'a str) -> Vec<(&'static str, &'a str)> {
    scan(path, text).iter().map(|finding| (finding.rule, &text[finding.start..finding.end])).collect()
}

fn tokens(seed: u64) -> Vec<(&'static str, String)> {
    let base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digits = |length| random("0123456789", length, seed + 9);
    vec![
        ("huggingface-token", format!("{}{}", "hf_", plain(34, seed))),
        ("aws-access-key", format!("{}{}", "AKIA", random(base32, 16, seed))),
        ("github-token", format!("{}{}", "ghp_", plain(36, seed))),
        ("github-token", format!("{}{}_{}", "github_pat_", plain(22, seed), plain(59, seed + 1))),
        ("gitlab-token", format!("{}{}", "glpat-", plain(20, seed))),
        ("slack-token", format!("{}{}-{}-{}", "xoxb-", digits(12), digits(13), plain(24, seed))),
        ("slack-webhook", format!("{}/T{}/B{}/{}", "hooks.slack.com/services", digits(9), digits(9), plain(24, seed))),
        ("google-api-key", format!("{}{}", "AIza", plain(35, seed))),
        ("google-oauth-secret", format!("{}{}", "GOCSPX-", plain(28, seed))),
        ("openai-key", format!("{}{}", "sk-", plain(48, seed))),
        ("openai-key", format!("{}{}", "sk-proj-", plain(60, seed))),
        ("anthropic-key", format!("{}{}", "sk-ant-", plain(90, seed))),
        ("stripe-key", format!("{}{}", "sk_live_", plain(24, seed))),
        ("npm-token", format!("{}{}", "npm_", plain(36, seed))),
    ]
}

#[test]
fn tokens_are_found_by_their_shapes_wherever_they_stand() {
    for seed in 0..50 {
        for (rule, token) in tokens(seed) {
            let found = [(rule, token.as_str())];
            for text in [
                token.clone(),
                format!("key = '{token}'\n"),
                format!("# {token}."),
                format!("é{token}\n"),
                format!("url = https://user:{token}@host/"),
                format!("{}{token} ", "x ".repeat(if seed == 0 { 100_000 } else { 1 })),
            ] {
                assert_eq!(rules("app.py", &text), found, "{seed}: {}", &text[..text.len().min(90)]);
                assert_eq!(rules("Cargo.lock", &text), found);
            }
            let longer = format!("{token}{}", plain(300, seed));
            for text in [format!("x{token}"), format!("_{token}"), longer, token[..token.len() - 5].to_owned()] {
                let same = rules("a.txt", &text).iter().any(|(_, seen)| *seen == token);
                assert!(!same, "{rule}: {text}");
            }
        }
    }
}

#[test]
fn a_token_of_this_platform_is_found_if_its_checksum_is_right() {
    // Of `abc…`, as the host makes them.
    let random = "abcdefghijABCDEFGHIJ0123456789";
    let digits = |body: &String| checksum::is_right(body);
    let all = ALPHANUMERIC.chars();
    assert!(!digits(&format!("{random}000000")) && all.clone().count() == 62);
    let body = format!("{random}{CHECK}");
    assert!(digits(&body), "{body}");
    let token = format!("sp_{body}");
    assert_eq!(rules("a.py", &format!("TOKEN = \"{token}\"")), [("spaceport-token", token.as_str())]);
    assert_eq!(rules("a.txt", &token.replace("abc", "abd")), []);
}

/// The checksum of `abcdefghijABCDEFGHIJ0123456789`, from another implementation.
const CHECK: &str = "2C2O59";

#[test]
fn placeholders_are_no_tokens() {
    for text in [
        format!("hf_{}", "x".repeat(34)),
        format!("hf_{}", "abcdefghijklmnopqrstuvwxyzabcdefgh"),
        format!("ghp_{}", "0".repeat(36)),
        format!("{}IOSFODNN7EXAMPLE", "AKIA"),
        format!("AIza{}", "Your_Api_Key_Goes_In_This_Place_Now"),
        "xoxb-your-token-goes-here-and-not-elsewhere".to_owned(),
        format!("sk-{}", "your".repeat(12)),
        "hf_hub_download(repo_id=x, filename=y, token=os.environ['HF_TOKEN'])".to_owned(),
        "sk-learn-is-a-library-for-machines-that-learn-from-what-they-see".to_owned(),
    ] {
        assert_eq!(rules("app.py", &format!("token = \"{text}\"\n")), [], "{text}");
    }
}

#[test]
fn private_keys_are_found_as_a_whole_and_sealed_ones_are_not() {
    let body = format!("{}\n{}\n{}\n", plain(64, 1), plain(64, 2), plain(30, 3));
    for label in ["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "EC PRIVATE KEY"] {
        let key = format!("-----BEGIN {label}-----\n{body}-----END {label}-----");
        assert_eq!(rules("id_rsa", &format!("x\n{key}\ny")), [("private-key", key.as_str())]);
        // In one line, as in JSON; and cut off.
        let escaped = key.replace('\n', "\\n");
        let json = format!("{{\"private_key\": \"{escaped}\\n\"}}");
        assert_eq!(rules("a.json", &json), [("private-key", escaped.as_str())]);
        assert_eq!(rules("a.pem", &format!("-----BEGIN {label}-----\n{}", plain(64, 1))).len(), 1);
    }
    for text in [
        format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{body}"),
        format!("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{body}"),
        format!("-----BEGIN PUBLIC KEY-----\n{body}"),
        format!("-----BEGIN CERTIFICATE-----\n{body}"),
        "if text.startswith(\"-----BEGIN PRIVATE KEY-----\"):\n    return load(text)\n".to_owned(),
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----".to_owned(),
        "-----BEGIN ".to_owned(),
    ] {
        assert_eq!(rules("a.txt", &text), [], "{text}");
    }
}

#[test]
fn random_values_of_names_that_speak_of_secrets_are_found() {
    for seed in 0..50 {
        let value = plain(32, seed);
        for (path, text) in [
            ("app.py", format!("API_KEY = \"{value}\"")),
            ("app.py", format!("self.client_secret: str = '{value}'")),
            ("app.py", format!("os.environ[\"DB_PASSWORD\"] = \"{value}\"")),
            ("app.py", format!("connect(user='x', password='{value}')")),
            ("app.js", format!("const accessToken = `{value}`;")),
            ("app.json", format!("{{\"apiKey\": \"{value}\", \"x\": 1}}")),
            (".env", format!("export SECRET_KEY={value}\nOTHER=1")),
            ("conf/app.yaml", format!("  auth-key: {value} # here")),
            ("main.go", format!("token := \"{value}\"")),
        ] {
            assert_eq!(rules(path, &text), [("generic-secret", value.as_str())], "{path}: {text}");
        }
        let secret = random(&format!("{ALPHANUMERIC}+/"), 40, seed);
        let text = format!("AWS_SECRET_ACCESS_KEY={secret}\n");
        assert_eq!(rules(".env", &text), [("aws-secret-key", secret.as_str())]);
    }
}

#[test]
fn what_only_looks_so_is_left_alone() {
    let value = plain(32, 7);
    let hex = |length| random("0123456789abcdef", length, 3);
    let uuid = [8, 4, 4, 4, 12].map(hex).join("-");
    for (path, text) in [
        ("app.py", format!("name = \"{value}\"")),
        ("app.py", format!("token_hash = \"{value}\"")),
        ("app.py", format!("secret_id = \"{value}\"")),
        ("app.py", format!("author = \"{value}\"")),
        ("app.py", format!("if token == \"{value}\": pass")),
        ("app.py", format!("token = {value}")),
        ("app.py", format!("secret = \"{}\"", hex(64))),
        ("app.py", format!("api_key = \"{}\"", hex(32))),
        ("app.py", format!("token = \"{uuid}\"")),
        ("app.py", "token = os.environ[\"HF_TOKEN_OF_MY_ACCOUNT_2024\"]".to_owned()),
        ("app.py", "password = \"correct-horse-battery-staple-2024\"".to_owned()),
        ("app.py", "secret_key = \"your-256-bit-secret-Key1a2B3c4D5e\"".to_owned()),
        ("app.py", "token = \"https://example.org/path1a2B3c4D5e6F7g\"".to_owned()),
        ("app.py", "token = \"stabilityai/stable-diffusion-xl-base-1.0\"".to_owned()),
        ("app.py", format!("token = \"{}\"", "a1".repeat(16))),
        (".env", "SECRET_KEY=${SECRET_KEY_FROM_THE_ENVIRONMENT_1a2B3c}".to_owned()),
        (".env", "HF_TOKEN=\nSECRET_KEY=changeme1a2B3c4D5e6F7g8H9i\n".to_owned()),
        ("yarn.lock", format!("token = \"{value}\"")),
        ("web/package-lock.json", format!("{{\"secret\": \"{value}\"}}")),
        ("lib/app.min.js", format!("token=\"{value}\"")),
        ("app.py", format!("token = \"{value}\"{}", " ".repeat(5000))),
        ("README.md", format!("integrity: sha512-{value}")),
    ] {
        assert_eq!(rules(path, &text), [], "{path}: {text}");
    }
}

#[test]
fn the_more_exact_rule_tells_and_places_are_right() {
    let (_, token) = &tokens(5)[0];
    let other = plain(40, 8);
    let text = format!("# Grüße\nHF_TOKEN = \"{token}\"\nDB_PASSWORD = \"{other}\"\n");
    let found = [("huggingface-token", token.as_str()), ("generic-secret", other.as_str())];
    assert_eq!(rules("app.py", &text), found);
    let many = format!("{token}\n").repeat(3 * MAX_FINDINGS);
    assert_eq!(scan("app.py", &many).len(), MAX_FINDINGS);
}

/// Texts that would take long if anything were looked at again and again.
#[test]
fn the_worst_text_of_the_largest_size_is_scanned_at_once() {
    const SIZE: usize = 2 << 20;
    let head = "-----BEGIN PRIVATE KEY-----\n";
    let near = format!("{head}{}\n", "A".repeat(30));
    for piece in
        ["sk-ant-", "-----BEGIN ", "xoxb-1", "a=", "token=", "token=\"\n", head, &near, "hf_", "=", ":", "é", "AIza-"]
    {
        let text = piece.repeat(SIZE / piece.len());
        for path in ["a.py", ".env"] {
            let begun = Instant::now();
            scan(path, &text);
            // A fraction of a second without optimisation; a quadratic scanner takes hours.
            assert!(begun.elapsed().as_secs() < 30, "{path}: {piece}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_is_too_odd(any: String, pieces in prop::collection::vec(prop::sample::select(vec![
        "hf_", "sp_", "AKIA", "-----BEGIN ", "PRIVATE KEY", "-----", "-----END ", "AbCd1234EfGh5678", "token", "secret",
        "=", ":", "\"", "'", "`", "\n", "é", "🦀", " ", "password", ">", "b", "x1Y2z3W4",
    ]), 0..40)) {
        for text in [any, pieces.concat()] {
            for path in ["a.py", ".env", "é"] {
                let mut end = 0;
                for finding in scan(path, &text) {
                    prop_assert!(finding.start >= end && finding.end > finding.start);
                    prop_assert!(text.get(finding.start..finding.end).is_some());
                    end = finding.end;
                }
            }
        }
    }
}
