//! What a client asks to be run. Three programs are known by name, and none of them is started by a shell: the text is
//! taken apart here, as the shell would that clients write it for.

use crate::name::SpacePath;

/// Longest command: a program's name and the longest path of a Space, quoted, many times over.
pub const MAX_COMMAND: usize = 4 << 10;
/// What stands before the path of a Space in every address of its repository.
const SPACES: &str = "spaces/";
/// What clients may write after a repository's name.
const SUFFIX: &str = ".git";

/// What is to be done with which Space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitCommand {
    /// `git-upload-pack`: clone or fetch.
    Fetch(SpacePath),
    /// `git-receive-pack`: push.
    Push(SpacePath),
    /// `git-lfs-authenticate`: where large files are sent and fetched, and by which pass.
    LfsAuthenticate(SpacePath, LfsOperation),
}

/// What is to be done with large files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LfsOperation {
    /// Fetch them.
    Download,
    /// Send them.
    Upload,
}

/// Why nothing is run; for the client's user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Longer than any of ours.
    #[error("This command is too long")]
    TooLong,
    /// Not what a shell could read.
    #[error("This command cannot be read: a quote in it is not closed, or it is not UTF-8")]
    Malformed,
    /// Another program.
    #[error("{0:?} is not run here: only git clone, fetch and push are, and git-lfs")]
    Program(String),
    /// A program of ours, with something else than one path.
    #[error("{0} is given the path of one repository, such as spaces/owner/name")]
    Arguments(&'static str),
    /// Not a path of a repository.
    #[error("There is no repository at {0:?}: repositories are at spaces/owner/name")]
    Path(String),
    /// Neither up nor down.
    #[error("git-lfs-authenticate is given \"upload\" or \"download\" after the path")]
    Operation,
}

impl LfsOperation {
    /// As clients write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Upload => "upload",
        }
    }
}

impl GitCommand {
    /// Reads what a client asks to be run.
    pub fn parse(command: &[u8]) -> Result<Self, CommandError> {
        if command.len() > MAX_COMMAND {
            return Err(CommandError::TooLong);
        }
        let text = std::str::from_utf8(command).map_err(|_| CommandError::Malformed)?;
        let words = words(text).ok_or(CommandError::Malformed)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["git-upload-pack", path] | ["git", "upload-pack", path] => Ok(Self::Fetch(space(path)?)),
            ["git-receive-pack", path] | ["git", "receive-pack", path] => Ok(Self::Push(space(path)?)),
            // Older clients name the content as well.
            ["git-lfs-authenticate", path, operation] | ["git-lfs-authenticate", path, operation, _] => {
                let operation = match *operation {
                    "download" => LfsOperation::Download,
                    "upload" => LfsOperation::Upload,
                    _ => return Err(CommandError::Operation),
                };
                Ok(Self::LfsAuthenticate(space(path)?, operation))
            }
            ["git-upload-pack", ..] | ["git", "upload-pack", ..] => Err(CommandError::Arguments("git-upload-pack")),
            ["git-receive-pack", ..] | ["git", "receive-pack", ..] => Err(CommandError::Arguments("git-receive-pack")),
            ["git-lfs-authenticate", ..] => Err(CommandError::Operation),
            [program, ..] => Err(CommandError::Program(program.chars().take(60).collect())),
            [] => Err(CommandError::Program(String::new())),
        }
    }
}

/// The Space whose repository is at this path: `spaces/owner/name`, with `/` before it, and `.git` or `/` after it, or without.
fn space(path: &str) -> Result<SpacePath, CommandError> {
    let bare = path.strip_prefix('/').unwrap_or(path);
    let bare = bare.strip_suffix('/').unwrap_or(bare);
    let bare = bare.strip_suffix(SUFFIX).unwrap_or(bare);
    let space = bare.strip_prefix(SPACES).and_then(|space| space.parse().ok());
    space.ok_or_else(|| CommandError::Path(path.chars().take(200).collect()))
}

/// The words of a command, by the rules of a shell for quotes and backslashes; `None` if a quote is not closed.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        inside => word.push(inside),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '\\' => word.push(letters.next()?),
                        inside => word.push(inside),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(letters.next()?),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn clients_write_commands_in_several_ways() {
        let path: SpacePath = "ada/site".parse().unwrap();
        for text in [
            "git-upload-pack 'spaces/ada/site'",
            "git-upload-pack '/spaces/ada/site'",
            "git-upload-pack '/spaces/ada/site.git'",
            "git-upload-pack spaces/ada/site.git/",
            "git upload-pack \"spaces/ada/site\"",
            "git-upload-pack 'spaces/ada/'\\''site'''".replace("'\\''", "").as_str(),
        ] {
            assert_eq!(GitCommand::parse(text.as_bytes()), Ok(GitCommand::Fetch(path.clone())), "{text}");
        }
        assert_eq!(GitCommand::parse(b"git-receive-pack '/spaces/ada/site'"), Ok(GitCommand::Push(path.clone())));
        for (text, operation) in [
            ("git-lfs-authenticate spaces/ada/site.git upload", LfsOperation::Upload),
            ("git-lfs-authenticate '/spaces/ada/site' download abc", LfsOperation::Download),
        ] {
            let expected = GitCommand::LfsAuthenticate(path.clone(), operation);
            assert_eq!(GitCommand::parse(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_in_words() {
        for (text, words) in [
            ("", "only git"),
            ("ls -la", "\"ls\" is not run here"),
            ("git-upload-archive 'spaces/ada/site'", "not run here"),
            ("git-lfs-transfer spaces/ada/site upload", "not run here"),
            ("git-upload-pack", "the path of one repository"),
            ("git-upload-pack --strict 'spaces/ada/site'", "the path of one repository"),
            ("git-upload-pack 'ada/site'", "repositories are at spaces/owner/name"),
            ("git-upload-pack 'spaces/../site'", "no repository"),
            ("git-upload-pack '/etc/passwd'", "no repository"),
            ("git-upload-pack 'spaces/ada/site'; ls", "the path of one repository"),
            ("git-upload-pack 'spaces/ada/site", "not closed"),
            ("git-receive-pack a b", "the path of one repository"),
            ("git-lfs-authenticate spaces/ada/site", "upload"),
            ("git-lfs-authenticate spaces/ada/site delete", "upload"),
        ] {
            let error = GitCommand::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert_eq!(GitCommand::parse(&[0xff]), Err(CommandError::Malformed));
        assert_eq!(GitCommand::parse(&[b'a'; MAX_COMMAND + 1]), Err(CommandError::TooLong));
    }

    #[test]
    fn quotes_are_taken_apart_as_by_a_shell() {
        let taken = words(r#"  a'b c'd "e\"f" '' g\ h 'it'\''s' "#).unwrap();
        assert_eq!(taken, ["ab cd", "e\"f", "", "g h", "it's"]);
        for open in ["'", "\"", "a\\", "\"\\"] {
            assert_eq!(words(open), None, "{open}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = GitCommand::parse(&bytes);
        }
    }
}
