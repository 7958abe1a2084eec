//! Files that hold a key each: created whole or not at all, readable by their owner only, in hexadecimal digits.

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
const MAX_FILE: u64 = 1024;

pub(super) fn read_or_create(dir: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyError> {
    let path = dir.join(MASTER_KEY_FILE);
    match File::open(&path) {
        Ok(file) => master(file, &path),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut key = Zeroizing::new([0; KEY_BYTES]);
            let random = rand::rngs::OsRng.try_fill_bytes(key.as_mut_slice()).map_err(io::Error::other);
            random.and_then(|()| create(dir, &path, key.as_slice())).map_err(failed("create", &path))?;
            // Read back what is there: another process may have been first.
            master(File::open(&path).map_err(failed("open", &path))?, &path)
        }
        Err(error) => Err(failed("open", &path)(error)),
    }
}

fn master(file: File, path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyError> {
    decode(read(file, path)?.trim_end()).ok_or_else(|| KeyError::Malformed(path.to_owned()))
}

/// The text of a key's file.
pub(super) fn read(file: File, path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let metadata = file.metadata().map_err(failed("examine", path))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
    file.take(MAX_FILE).read_to_string(&mut text).map_err(failed("read", path))?;
    Ok(text)
}

/// Puts a key into a file of this directory, unless another process has put one there meanwhile.
pub(super) fn create(dir: &Path, path: &Path, key: &[u8]) -> io::Result<()> {
    create_private_dir(dir)?;
    let mut text = Zeroizing::new(String::with_capacity(2 * key.len() + 1));
    for byte in key.iter() {
        text.push(char::from_digit(u32::from(byte >> 4), 16).expect("four bits are a hexadecimal digit"));
        text.push(char::from_digit(u32::from(byte & 15), 16).expect("four bits are a hexadecimal digit"));
    }
    text.push('\n');

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

fn decode(text: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let digits = text.as_bytes();
    if digits.len() != 2 * KEY_BYTES {
        return None;
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(key)
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { action, path, source }
}
