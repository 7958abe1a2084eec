//! Files that hold a key each: created whole or not at all, readable by their owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rand::TryRngCore;
use zeroize::Zeroizing;

use crate::dir::create_private_dir;
use crate::keys::{KEY_BYTES, KeyError, MASTER_KEY_FILE};

/// Permission bits by which anybody but the owner could reach the key.
const OTHERS: u32 = 0o077;
/// More than a key's text can be, so that a wrong file is not read whole.
const MAX_FILE: u64 = 8 << 10;

/// The master key of this directory.
pub(super) fn master(dir: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyError> {
    let text = read_or_create(dir, MASTER_KEY_FILE, || {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        rand::rngs::OsRng.try_fill_bytes(key.as_mut_slice()).map_err(io::Error::other)?;
        Ok(in_digits(key.as_slice()))
    })?;
    let bytes = of_digits(text.trim_end()).and_then(|bytes| Some(Zeroizing::new(bytes.as_slice().try_into().ok()?)));
    bytes.ok_or_else(|| KeyError::Malformed(dir.join(MASTER_KEY_FILE)))
}

/// The text of a file of this directory, which is made if there is none.
pub(super) fn read_or_create(
    dir: &Path,
    name: &str,
    make: impl FnOnce() -> io::Result<Zeroizing<String>>,
) -> Result<Zeroizing<String>, KeyError> {
    let path = dir.join(name);
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make().and_then(|text| create(dir, &path, &text)).map_err(failed("create", &path))?;
            // Read back what is there: another process may have been first.
            File::open(&path)
        }
        other => other,
    };
    read(file.map_err(failed("open", &path))?, &path)
}

fn read(file: File, path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let metadata = file.metadata().map_err(failed("examine", path))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
    file.take(MAX_FILE).read_to_string(&mut text).map_err(failed("read", path))?;
    Ok(text)
}

/// Puts a text into a file of this directory, unless another process has put one there meanwhile.
fn create(dir: &Path, path: &Path, text: &str) -> io::Result<()> {
    create_private_dir(dir)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = dir.join(format!(".{name}.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    // A link, unlike a rename, never replaces a key that another process has put there meanwhile.
    let linked = written.and_then(|()| match fs::hard_link(&aside, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    fs::remove_file(&aside)?;
    linked?;
    File::open(dir)?.sync_all()
}

/// Bytes as a line of hexadecimal digits.
pub(super) fn in_digits(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len() + 1));
    for byte in bytes {
        text.push(char::from_digit(u32::from(byte >> 4), 16).expect("four bits are a hexadecimal digit"));
        text.push(char::from_digit(u32::from(byte & 15), 16).expect("four bits are a hexadecimal digit"));
    }
    text.push('\n');
    text
}

/// The bytes of hexadecimal digits.
pub(super) fn of_digits(digits: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    for pair in digits.as_bytes().chunks_exact(2) {
        bytes.push(digit(pair[0])? << 4 | digit(pair[1])?);
    }
    Some(bytes)
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { action, path, source }
}
