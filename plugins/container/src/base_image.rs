//! `spaceport-container base-image`: makes the image that generated images start from, out of a distribution's packages and
//! nothing else, so that a host without any image registry has one.
//!
//! It is for an operator who waits: each step is told before it is begun, and one that fails says what was missing and what
//! to do. The image has what the contract promises apps ([`PACKAGES`]), a user with the id 1000, and the operator's
//! certificates among those that every program in it trusts.

mod bundle;
mod make;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// What the subcommand is called.
pub const NAME: &str = "base-image";

/// What the image has beside the least that a system needs: Python with what installs packages for it, and what app
/// repositories and their build commands are used to find.
const PACKAGES: [&str; 12] = [
    "ca-certificates",
    "curl",
    "gcc",
    "git",
    "git-lfs",
    "libc6-dev",
    "procps",
    "python3",
    "python3-dev",
    "python3-pip",
    "python3-venv",
    "rsync",
];

const USAGE: &str = "spaceport-container base-image [--suite bookworm] [--tag spaceport-base:bookworm] [--mirror URL]
    [--include PACKAGE,...] [--ca-bundle FILE] [--folder DIR]

Makes the image that Gradio Spaces and builds of static Spaces start from: a Debian of this suite, made by debootstrap out of
the mirror's packages and imported into the container engine. Needs root, debootstrap and a running engine, about 2 GB in
DIR (/var/tmp) while it works, and a minute or two. Then name the tag in the host's configuration:

    [containers]
    base_image = \"spaceport-base:bookworm\"

  --include    more packages, such as nodejs,npm for static Spaces with an app_build_command, or ffmpeg
  --ca-bundle  certificates (PEM) to trust in the image, for mirrors with certificates of their own
";

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    suite: String,
    tag: String,
    mirror: Option<String>,
    packages: Vec<String>,
    ca_bundle: Option<PathBuf>,
    folder: PathBuf,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
enum NotMade {
    /// The words of the command line.
    #[error("{0}\n\n{USAGE}")]
    Usage(String),
    /// Not without these.
    #[error("{0}")]
    Missing(String),
    /// A step failed.
    #[error("{step}: {reason}")]
    Step {
        /// What was to be done.
        step: &'static str,
        /// What came of it.
        reason: String,
    },
}

/// The subcommand's `main`, with the words after its name.
pub fn main(arguments: &[String]) -> ExitCode {
    if arguments.iter().any(|word| word == "--help" || word == "-h") {
        let _ = write!(io::stdout(), "{USAGE}");
        return ExitCode::SUCCESS;
    }
    let made = plan(arguments).map_err(NotMade::Usage).and_then(|plan| make::make(&plan));
    let (text, code) = match made {
        Ok(id) => {
            let _ = writeln!(io::stdout(), "{id}");
            return ExitCode::SUCCESS;
        }
        Err(error @ NotMade::Usage(_)) => (error.to_string(), 2),
        Err(error) => (error.to_string(), 1),
    };
    let _ = writeln!(io::stderr(), "{}", text.trim_end());
    ExitCode::from(code)
}

/// Tells what is done now.
fn tell(what: &str) {
    let _ = writeln!(io::stderr(), "{what}");
}

fn plan(arguments: &[String]) -> Result<Plan, String> {
    let mut plan = Plan {
        suite: "bookworm".to_owned(),
        tag: String::new(),
        mirror: None,
        packages: PACKAGES.map(str::to_owned).to_vec(),
        ca_bundle: None,
        folder: PathBuf::from("/var/tmp"),
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        if !["--suite", "--tag", "--mirror", "--include", "--ca-bundle", "--folder"].contains(&name) {
            return Err(format!("{word} is no argument of {NAME}"));
        }
        let value = value.or_else(|| words.next().cloned()).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| format!("{name} needs a value"))?;
        match name {
            "--suite" => plan.suite = value,
            "--tag" => plan.tag = value,
            "--mirror" => plan.mirror = Some(value),
            "--include" => plan.packages.extend(value.split(',').map(str::to_owned)),
            "--ca-bundle" => plan.ca_bundle = Some(value.into()),
            _ => plan.folder = value.into(),
        }
    }
    if plan.tag.is_empty() {
        plan.tag = format!("spaceport-base:{}", plan.suite);
    }
    check(&plan)?;
    Ok(plan)
}

/// What becomes an argument of a program must not read as another one.
fn check(plan: &Plan) -> Result<(), String> {
    let is_name = |text: &str| {
        let rest = text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"+.-".contains(&c));
        rest && text.bytes().next().is_some_and(|c| c.is_ascii_alphanumeric())
    };
    if !is_name(&plan.suite) {
        return Err(format!("--suite {:?} is no name of a suite", plan.suite));
    }
    if let Some(package) = plan.packages.iter().find(|package| !is_name(package)) {
        return Err(format!("--include {package:?} is no name of a package"));
    }
    if let Some(mirror) = plan.mirror.as_ref().filter(|mirror| !mirror.contains("://")) {
        return Err(format!("--mirror {mirror:?} is no URL"));
    }
    match plan.tag.starts_with('-') || plan.tag.contains(char::is_whitespace) {
        true => Err(format!("--tag {:?} is no name of an image", plan.tag)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Plan, String> {
        plan(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn without_words_there_is_a_plan() {
        let plan = parsed("").unwrap();
        assert_eq!((plan.suite.as_str(), plan.tag.as_str()), ("bookworm", "spaceport-base:bookworm"));
        assert_eq!(plan.packages.len(), PACKAGES.len());
    }

    #[test]
    fn words_change_it() {
        let plan =
            parsed("--suite trixie --include nodejs,npm --include=ffmpeg --ca-bundle /x.pem --folder=/f").unwrap();
        assert_eq!(plan.tag, "spaceport-base:trixie");
        assert_eq!(plan.packages[PACKAGES.len()..], ["nodejs", "npm", "ffmpeg"]);
        assert_eq!((plan.ca_bundle, plan.folder), (Some("/x.pem".into()), "/f".into()));
        assert_eq!(parsed("--mirror https://example.org/debian --tag x:1").unwrap().tag, "x:1");
    }

    #[test]
    fn what_is_no_argument_is_named() {
        for (words, word) in [
            ("--sweet bookworm", "--sweet"),
            ("bookworm", "bookworm is no argument"),
            ("--suite", "--suite needs a value"),
            ("--suite=", "--suite needs a value"),
            ("--suite --help2", "--help2"),
            ("--include a,,b", "\"\""),
            ("--include -x", "-x"),
            ("--mirror example.org", "no URL"),
            ("--tag -x", "-x"),
        ] {
            let error = parsed(words).unwrap_err();
            assert!(error.contains(word), "{words}: {error}");
        }
    }
}
