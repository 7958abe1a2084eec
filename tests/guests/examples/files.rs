//! Does `?op=` on `?path=` and tells `ok …` or the error.

use std::fs;
use std::io;

use spaceport_guest::{Request, Response};

fn handle(request: Request) -> Response {
    let text = |name: &str| request.query_value(name).unwrap_or_default();
    let (op, path) = (text("op"), text("path"));
    Response::text(match run(&op, &path, &text("target"), text("bytes").parse().unwrap_or(0)) {
        Ok(said) => format!("ok {said}"),
        Err(error) => format!("error {error:?}"),
    })
}

fn run(op: &str, path: &str, target: &str, bytes: usize) -> io::Result<String> {
    match op {
        "" => Ok("ready".into()),
        "write" => fs::write(path, vec![b'w'; bytes]).map(|()| bytes.to_string()),
        "append" => {
            let mut file = fs::File::options().create(true).append(true).open(path)?;
            io::Write::write_all(&mut file, &vec![b'a'; bytes]).map(|()| bytes.to_string())
        }
        "read" => fs::read(path).map(|content| String::from_utf8_lossy(&content).into_owned()),
        "list" => fs::read_dir(path).map(|entries| entries.count().to_string()),
        "mkdir" => fs::create_dir(path).map(|()| path.to_owned()),
        "many" => many(path, bytes),
        "remove" => fs::remove_file(path).map(|()| path.to_owned()),
        "rename" => fs::rename(target, path).map(|()| path.to_owned()),
        "hardlink" => fs::hard_link(target, path).map(|()| path.to_owned()),
        #[cfg(target_os = "wasi")]
        "symlink" => symlink(target, path),
        _ => Err(io::Error::other("no such op")),
    }
}

/// Creates that many empty files below a folder; tells how many there are when it fails.
fn many(path: &str, count: usize) -> io::Result<String> {
    for n in 0..count {
        if let Err(error) = fs::write(format!("{path}/{n}"), b"") {
            return Err(io::Error::new(error.kind(), format!("after {n}: {error}")));
        }
    }
    Ok(count.to_string())
}

/// By WASI itself, since std keeps it behind an unstable feature.
#[cfg(target_os = "wasi")]
fn symlink(target: &str, path: &str) -> io::Result<String> {
    let folder = wasip2::filesystem::preopens::get_directories()
        .into_iter()
        .find(|(_, name)| path.starts_with(name.as_str()) && name != "/")
        .ok_or(io::ErrorKind::NotFound)?;
    let relative = path.trim_start_matches(folder.1.as_str()).trim_start_matches('/');
    folder
        .0
        .symlink_at(target, relative)
        .map(|()| path.to_owned())
        .map_err(|code| io::Error::other(format!("{code:?}")))
}

spaceport_guest::export!(handle);
