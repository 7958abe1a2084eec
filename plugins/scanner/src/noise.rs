//! What looks like a secret and is none.

/// Least different letters of a random text of a token's length: of 16 letters of base 32, fewer come up once in a
/// million.
const VARIETY: usize = 8;
/// Runs that people type to fill a place.
const FILLERS: [&str; 8] =
    ["example", "placeholder", "xxxxx", "0123456789", "1234567890", "abcdefgh", "00000000", "your_"];
/// Words of a value that stands for another.
const STANDINS: [&str; 17] = [
    "your",
    "example",
    "placeholder",
    "changeme",
    "change-me",
    "change_me",
    "dummy",
    "sample",
    "fake",
    "insert",
    "replace",
    "redacted",
    "xxxx",
    "****",
    "....",
    "1234567890",
    "abcdefgh",
];
/// Hexadecimal digits of the customary hashes.
const HASHES: [usize; 6] = [32, 40, 56, 64, 96, 128];
/// Groups of a UUID.
const UUID: [usize; 5] = [8, 4, 4, 4, 12];
/// What names the hash that follows it.
const HASH_PREFIXES: [&str; 5] = ["sha1-", "sha256-", "sha384-", "sha512-", "sha256:"];
/// Files that tools write, full of hashes.
const GENERATED: [&str; 10] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "go.sum",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "added_tokens.json",
];
/// Endings of such files.
const GENERATED_ENDINGS: [&str; 6] = [".lock", ".lockb", ".min.js", ".min.css", ".map", ".svg"];
/// Endings of files whose values need no quotes.
const BARE_ENDINGS: [&str; 9] = [".env", ".ini", ".cfg", ".conf", ".properties", ".yaml", ".yml", ".sh", ".toml"];

/// Whether a file is the work of a tool, so that what is random in it is no secret.
pub fn is_generated(path: &str) -> bool {
    let name = name(path);
    GENERATED.contains(&name.as_str()) || GENERATED_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether values of a file may stand without quotes.
pub fn has_bare_values(path: &str) -> bool {
    let name = name(path);
    name.starts_with(".env") || name == "dockerfile" || BARE_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether the part of a token that ought to be random may be.
pub fn is_varied(body: &str) -> bool {
    let lower = body.to_ascii_lowercase();
    distinct(body) >= VARIETY && !FILLERS.iter().any(|filler| lower.contains(filler))
}

/// Whether a value stands for another that is not here.
pub fn is_standin(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    STANDINS.iter().any(|word| lower.contains(word))
}

/// Whether a value is a hash or an id, which tells nobody anything.
pub fn is_hash_or_id(value: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_hash = HASHES.contains(&value.len()) && is_hex(value);
    let groups: Vec<&str> = value.split('-').take(UUID.len() + 1).collect();
    let is_uuid = groups.iter().map(|group| group.len()).eq(UUID) && groups.iter().all(|group| is_hex(group));
    is_hash || is_uuid || HASH_PREFIXES.iter().any(|prefix| value.starts_with(prefix))
}

/// Whether a byte is in the middle of a name.
pub fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Bits of information in a letter of a text, from how often each comes.
pub fn entropy(text: &str) -> f64 {
    let counts = counts(text);
    let length = text.len() as f64;
    let present = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length);
    -present.map(|part| part * part.log2()).sum::<f64>()
}

fn distinct(text: &str) -> usize {
    counts(text).iter().filter(|count| **count > 0).count()
}

fn counts(text: &str) -> [u32; 256] {
    let mut counts = [0; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    counts
}

fn name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase()
}
