//! Which file of the repository a request's path means.
//!
//! The path is percent-decoded once and cut at `/`; what has an empty, `.`, `..` or `.git` segment means nothing, so no
//! spelling leads out of the repository or into its history, and there is one spelling of each file.

/// The file that `path` (percent-encoded, with its leading `/`) means, with what `lookup` knows of it.
///
/// `/` means the entry, `/sub/` the `index.html` in it, `/page` a file of that name or else `page.html`. Where the entry
/// lies in a folder, as the output of a build does, its page is served at `/` and refers to what lies beside it, so that
/// folder is searched after the repository itself.
pub fn resolve<T>(path: &str, entry: &str, lookup: impl Fn(&str) -> Option<T>) -> Option<(String, T)> {
    let find = |path: String| lookup(&path).map(|found| (path, found));
    let path = decode(path.strip_prefix('/')?)?;
    if path.is_empty() {
        return find(entry.to_owned());
    }
    if !path.strip_suffix('/').unwrap_or(&path).split('/').all(is_segment) {
        return None;
    }
    let names = if path.ends_with('/') { vec![path + "index.html"] } else { vec![path.clone(), path + ".html"] };
    let beside_entry = entry.rfind('/').map(|end| &entry[..=end]);
    let folders = std::iter::once("").chain(beside_entry);
    folders.flat_map(|folder| names.iter().map(move |name| format!("{folder}{name}"))).find_map(find)
}

/// Whether a path of the repository may have this segment.
fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..") && !segment.contains('\0') && !segment.eq_ignore_ascii_case(".git")
}

/// Undoes percent-encoding, once. A `%` that encodes nothing stands for itself; what is not UTF-8 then is no path.
fn decode(path: &str) -> Option<String> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILES: &[&str] = &[
        "index.html",
        "page.html",
        "page/index.html",
        "both",
        "both.html",
        "sub/index.html",
        "sub/a b.txt",
        "größe.png",
        "100%.txt",
        "dist/index.html",
        "dist/app.js",
        "dist/index.css",
        "index.css",
        ".gitattributes",
        "a+b",
        "%2e",
    ];

    fn resolved(path: &str, entry: &str) -> Option<String> {
        resolve(path, entry, |path| FILES.contains(&path).then_some(())).map(|(path, ())| path)
    }

    #[test]
    fn paths_mean_what_is_documented() {
        for (path, file) in [
            ("/", "index.html"),
            ("/index.html", "index.html"),
            ("/sub/", "sub/index.html"),
            ("/sub/index.html", "sub/index.html"),
            ("/page", "page.html"),
            ("/page/", "page/index.html"),
            ("/both", "both"),
            ("/sub/a%20b.txt", "sub/a b.txt"),
            ("/sub%2fa%20b.txt", "sub/a b.txt"),
            ("/gr%C3%B6%c3%9fe.png", "größe.png"),
            ("/größe.png", "größe.png"),
            ("/100%25.txt", "100%.txt"),
            ("/100%.txt", "100%.txt"),
            ("/a+b", "a+b"),
            ("/%252e", "%2e"),
            ("/.gitattributes", ".gitattributes"),
        ] {
            assert_eq!(resolved(path, "index.html").as_deref(), Some(file), "{path}");
        }
    }

    #[test]
    fn anything_else_means_nothing() {
        for path in [
            "",
            "index.html",
            "//",
            "/sub",
            "/sub//index.html",
            "//index.html",
            "/./index.html",
            "/sub/../index.html",
            "/%2e%2e/index.html",
            "/sub/..%2findex.html",
            "/sub/%2e/index.html",
            "/page.html/",
            "/INDEX.HTML",
            "/.git/config",
            "/.GIT/config",
            "/.git",
            "/.git/",
            "/%2egit/config",
            "/sub/.git/config",
            "/index.html%00",
            "/%ff",
            "/nothing",
        ] {
            assert_eq!(resolved(path, "index.html"), None, "{path}");
        }
    }

    #[test]
    fn what_lies_beside_an_entry_in_a_folder_is_found_after_the_repository_itself() {
        for (path, file) in [
            ("/", "dist/index.html"),
            ("/app.js", "dist/app.js"),
            ("/dist/app.js", "dist/app.js"),
            ("/index.css", "index.css"),
            ("/page", "page.html"),
        ] {
            assert_eq!(resolved(path, "dist/index.html").as_deref(), Some(file), "{path}");
        }
        assert_eq!(resolved("/", "absent.html"), None);
    }

    proptest! {
        #[test]
        fn only_clean_paths_are_ever_looked_up(path in "/([a-z./%]|%2e|%2f|%2E|\\.git|\\.\\.){0,12}") {
            resolve(&path, "dist/index.html", |path| -> Option<()> {
                assert!(!path.starts_with('/') && !path.is_empty(), "{path:?}");
                assert!(path.split('/').all(is_segment), "{path:?}");
                None
            });
        }

        #[test]
        fn every_file_can_be_asked_for(name in "[^/\0]{1,12}") {
            prop_assume!(is_segment(&name));
            let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let found = resolve(&format!("/{encoded}"), "index.html", |path| (path == name).then_some(()));
            prop_assert_eq!(found, Some((name.clone(), ())));
        }
    }
}
