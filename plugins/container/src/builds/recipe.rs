//! What BuildKit is told to make: the Space's own `Dockerfile`, or one that is written here.
//!
//! Pure: from the request and the operator's settings to text. A generated file begins with the operator's base image, which
//! has Python with `venv`, `useradd` and Debian's `apt-get`, and for web sites what their commands use. An operator who names
//! none gets the official images of Python and Node.js.

use std::fmt::Write;

use spaceport_backend_protocol::{BuildRequest, FilePath, Recipe, Word};

use crate::arguments::Settings;

/// What Spaces with `sdk: gradio` find installed, whatever they ask for.
const PREINSTALLED: &str = "datasets huggingface_hub requests";
/// What gradio needs beside itself on a hub.
const BESIDE_GRADIO: &str = "'uvicorn>=0.14.0' 'websockets>=10.4' spaces";
/// The environment of apps of this kind.
const GRADIO: [(&str, &str); 9] = [
    ("PYTHONUNBUFFERED", "1"),
    ("GRADIO_ALLOW_FLAGGING", "never"),
    ("GRADIO_NUM_PORTS", "1"),
    ("GRADIO_SERVER_NAME", "0.0.0.0"),
    ("GRADIO_SERVER_PORT", "7860"),
    ("GRADIO_THEME", "huggingface"),
    ("TQDM_POSITION", "-1"),
    ("TQDM_MININTERVAL", "1"),
    ("SYSTEM", "spaces"),
];
/// Python that is taken where a base image is chosen by version and the Space names none: what the Hub takes.
const PYTHON: &str = "3.10";
/// What stands in a base image's name for the version.
const VERSION: &str = "{python_version}";
/// What Gradio Spaces are built on unless the operator says otherwise.
const PYTHON_IMAGE: &str = "python:{python_version}";
/// What web sites are built on unless the operator says otherwise: the version that the Hub has.
const SITE_IMAGE: &str = "node:20";
/// The name of the secret with pip's configuration, and where it is mounted.
pub(super) const PIP_SECRET: (&str, &str) = ("dev.spaceport.pip", "/run/spaceport/pip.conf");
/// The name of the secret with the operator's certificates, and where it is mounted. They are none; but only what is mounted
/// as a secret is in no layer.
pub(super) const CA_SECRET: (&str, &str) = ("dev.spaceport.ca", "/run/spaceport/ca.pem");
/// Makes sure that the user of Spaces is there.
const USER: &str = "RUN (grep -q '^[^:]*:[^:]*:1000:' /etc/passwd || useradd -m -u 1000 user) && mkdir -p /home/user/app && \
                    chown 1000:1000 /home/user /home/user/app\n";

/// A file for BuildKit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dockerfile {
    /// The one at the top of the repository.
    Own,
    /// One that was written here.
    Written(String),
}

/// Files of a repository that a recipe asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) packages: bool,
    pub(super) pre_requirements: bool,
    pub(super) requirements: bool,
}

/// The file for a request.
pub(super) fn dockerfile(request: &BuildRequest, found: Found, settings: &Settings) -> Dockerfile {
    let base = |own: &'static str| settings.base_image.as_deref().unwrap_or(own);
    match &request.recipe {
        Recipe::Docker => Dockerfile::Own,
        Recipe::Gradio { app_file, python_version, sdk_version } => {
            let image = base(PYTHON_IMAGE).replace(VERSION, python_version.as_ref().map_or(PYTHON, Word::as_str));
            let wanted = Gradio { app_file, python: python_version.as_ref(), sdk: sdk_version.as_ref() };
            Dockerfile::Written(gradio(&image, &wanted, found, request.clean, settings))
        }
        Recipe::Static { command, .. } => {
            let names = request.variables.iter().map(|variable| variable.name.as_str());
            let image = base(SITE_IMAGE).replace(VERSION, PYTHON);
            Dockerfile::Written(site(&image, command.as_str(), names, settings))
        }
    }
}

struct Gradio<'a> {
    app_file: &'a FilePath,
    python: Option<&'a Word>,
    sdk: Option<&'a Word>,
}

fn gradio(base: &str, wanted: &Gradio<'_>, found: Found, clean: bool, settings: &Settings) -> String {
    let mut text = format!("FROM {base}\nUSER root\nSHELL [\"/bin/sh\", \"-c\"]\n");
    if found.packages {
        text += "RUN --mount=type=bind,source=packages.txt,target=/run/spaceport/packages.txt apt-get update && \
                 sed 's/#.*//' /run/spaceport/packages.txt | xargs -r env DEBIAN_FRONTEND=noninteractive apt-get install -y \
                 --no-install-recommends && rm -rf /var/lib/apt/lists/*\n";
    }
    text += USER;
    text += "USER 1000:1000\nENV HOME=/home/user PATH=/home/user/.venv/bin:/home/user/.local/bin:$PATH\nWORKDIR /home/user/app\n";
    let _ = writeln!(text, "RUN {} -m venv /home/user/.venv", python(wanted.python));
    let pip = Pip { clean, settings };
    text += &pip.run(None, PREINSTALLED);
    if found.pre_requirements {
        text += &pip.run(Some("pre-requirements.txt"), "");
    }
    let version = wanted.sdk.map(|sdk| format!("=={sdk}")).unwrap_or_default();
    let sdk = format!("'gradio[oauth,mcp]{version}' {BESIDE_GRADIO}");
    text += &pip.run(found.requirements.then_some("requirements.txt"), &sdk);
    text += "ENV";
    for (name, value) in GRADIO {
        let _ = write!(text, " {name}={value}");
    }
    let _ = write!(
        text,
        "\nCOPY --chown=1000:1000 . /home/user/app\nCMD {}\n",
        json(&["python", wanted.app_file.as_str()])
    );
    text
}

/// The Python that a Space asks for, or a sentence on what there is.
fn python(version: Option<&Word>) -> String {
    let Some(version) = version else { return "python3".to_owned() };
    // A third number says less than the base image decides.
    let short: Vec<&str> = version.as_str().splitn(3, '.').take(2).collect();
    let short = short.join(".");
    format!(
        "P=$(command -v python{short} || {{ python3 -c 'import sys; sys.exit(\"%d.%d\" % sys.version_info[:2] != \"{short}\")' \
         && command -v python3; }}) || {{ echo \"python_version {short} is not in this host's base image, which has \
         $(python3 --version)\"; exit 1; }}; $P"
    )
}

/// Installs packages.
struct Pip<'a> {
    clean: bool,
    settings: &'a Settings,
}

impl Pip<'_> {
    /// A step that installs what a file of the repository lists, and more.
    fn run(&self, file: Option<&str>, more: &str) -> String {
        let mut mounts = secrets(self.settings);
        if !self.clean {
            // Not below the home: what a mount needs above it is made for root, and stays.
            mounts += "--mount=type=cache,id=pip,target=/run/spaceport/cache,uid=1000,gid=1000 ";
        }
        let mut command = if self.clean {
            "PIP_NO_CACHE_DIR=1 ".to_owned()
        } else {
            "PIP_CACHE_DIR=/run/spaceport/cache ".to_owned()
        };
        if is_pip_told(self.settings) {
            let _ = write!(command, "PIP_CONFIG_FILE={} ", PIP_SECRET.1);
        }
        command += "pip install --disable-pip-version-check --progress-bar off";
        if let Some(file) = file {
            let _ = write!(mounts, "--mount=type=bind,source={file},target=/run/spaceport/{file} ");
            let _ = write!(command, " -r /run/spaceport/{file}");
        }
        format!("RUN {mounts}{command} {more}\n")
    }
}

/// Whether pip has a configuration of the operator's.
pub(super) fn is_pip_told(settings: &Settings) -> bool {
    settings.ca_bundle.is_some() || settings.pip_index.is_some()
}

/// pip's configuration.
pub(super) fn pip_config(settings: &Settings) -> String {
    let mut text = "[global]\n".to_owned();
    if settings.ca_bundle.is_some() {
        let _ = writeln!(text, "cert = {}", CA_SECRET.1);
    }
    if let Some(index) = &settings.pip_index {
        let _ = writeln!(text, "index-url = {index}");
    }
    text
}

fn secrets(settings: &Settings) -> String {
    let mount = |(id, target): (&str, &str)| format!("--mount=type=secret,id={id},target={target},mode=0444 ");
    let mut mounts = String::new();
    if is_pip_told(settings) {
        mounts += &mount(PIP_SECRET);
    }
    if settings.ca_bundle.is_some() {
        mounts += &mount(CA_SECRET);
    }
    mounts
}

/// A web site: the command in the folder of the files, and then that folder.
fn site<'a>(base: &str, command: &str, variables: impl Iterator<Item = &'a str>, settings: &Settings) -> String {
    let mut text =
        format!("FROM {base} AS build\nUSER root\n{USER}USER 1000:1000\nENV HOME=/home/user\nWORKDIR /home/user/app\n");
    text += "COPY --chown=1000:1000 . /home/user/app\n";
    for name in variables {
        let _ = writeln!(text, "ARG {name}");
    }
    let _ = writeln!(text, "RUN {}{}", secrets(settings), json(&["/bin/sh", "-c", command]));
    text += "FROM scratch\nCOPY --from=build /home/user/app /\n";
    text
}

/// A list of words as a Dockerfile has it when no shell is to read them.
fn json(words: &[&str]) -> String {
    // Words are text, and text can be written.
    serde_json::to_string(words).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(recipe: &str) -> BuildRequest {
        let text = format!(
            r#"{{"id":"b-1","scope":"ada","recipe":{recipe},"files":"/srv/x","variables":[{{"name":"A","value":"b"}}],
            "egress":{{"ports":[],"allow":[]}},"limits":{{"seconds":1,"log_bytes":1,"disk_bytes":1}}}}"#
        );
        spaceport_backend_protocol::decode(text.as_bytes()).unwrap()
    }

    fn settings() -> Settings {
        Settings { base_image: Some("base:1".to_owned()), ..Settings::default() }
    }

    fn written(request: &BuildRequest, found: Found, settings: &Settings) -> String {
        match dockerfile(request, found, settings) {
            Dockerfile::Written(text) => text,
            Dockerfile::Own => panic!("it was to be written"),
        }
    }

    const GRADIO_5: &str = r#"{"sdk":"gradio","app_file":"src/app.py","python_version":"3.11","sdk_version":"5.1.0"}"#;

    #[test]
    fn requirements_are_installed_in_the_documented_order_before_the_code_is_there() {
        let found = Found { packages: true, pre_requirements: true, requirements: true };
        let text = written(&request(GRADIO_5), found, &settings());
        let places = [
            "FROM base:1\n",
            "packages.txt apt-get update",
            "useradd -m -u 1000",
            "USER 1000:1000",
            "-m venv",
            PREINSTALLED,
            "-r /run/spaceport/pre-requirements.txt",
            "-r /run/spaceport/requirements.txt 'gradio[oauth,mcp]==5.1.0'",
            "COPY --chown=1000:1000 . /home/user/app",
            "CMD [\"python\",\"src/app.py\"]",
        ]
        .map(|part| text.find(part).unwrap_or_else(|| panic!("{part} is not in\n{text}")));
        assert!(places.is_sorted(), "{text}");
        assert!(text.contains("SYSTEM=spaces") && text.contains("GRADIO_SERVER_PORT=7860"));
    }

    #[test]
    fn what_is_not_there_is_not_asked_for() {
        let text = written(&request(r#"{"sdk":"gradio","app_file":"app.py"}"#), Found::default(), &settings());
        assert!(
            !text.contains("packages.txt") && !text.contains("requirements.txt") && !text.contains("secret"),
            "{text}"
        );
        assert!(text.contains("RUN python3 -m venv") && text.contains("'gradio[oauth,mcp]' "));
    }

    #[test]
    fn mounts_stand_before_the_command() {
        let settings = Settings { ca_bundle: Some("/ca".into()), pip_index: Some("http://m".to_owned()), ..settings() };
        let text = written(&request(GRADIO_5), Found { requirements: true, ..Found::default() }, &settings);
        for line in text.lines().filter(|line| line.contains("--mount=")) {
            let words: Vec<&str> = line.split(' ').skip(1).collect();
            let first = words.iter().position(|word| !word.starts_with("--mount=")).unwrap();
            assert!(words[first..].iter().all(|word| !word.starts_with("--mount=")), "{line}");
        }
        assert!(text.contains(" PIP_CONFIG_FILE=/run/spaceport/pip.conf pip install"), "{text}");
        assert!(text.contains("id=dev.spaceport.ca,target=/run/spaceport/ca.pem"));
        assert_eq!(pip_config(&settings), "[global]\ncert = /run/spaceport/ca.pem\nindex-url = http://m\n");
    }

    #[test]
    fn a_clean_build_uses_no_cache_of_packages() {
        let clean = BuildRequest { clean: true, ..request(GRADIO_5) };
        assert!(written(&request(GRADIO_5), Found::default(), &settings()).contains("type=cache"));
        assert!(!written(&clean, Found::default(), &settings()).contains("type=cache"));
    }

    #[test]
    fn a_base_image_may_be_chosen_by_version() {
        let settings = Settings { base_image: Some("python:{python_version}-slim".to_owned()), ..Settings::default() };
        assert!(written(&request(GRADIO_5), Found::default(), &settings).starts_with("FROM python:3.11-slim\n"));
        let own = Settings::default();
        assert!(written(&request(GRADIO_5), Found::default(), &own).starts_with("FROM python:3.11\n"));
        let site = request(r#"{"sdk":"static","command":"npm run build","output":"/out"}"#);
        assert!(written(&site, Found::default(), &own).starts_with("FROM node:20 AS build\n"));
        assert!(written(&site, Found::default(), &settings).starts_with("FROM python:3.10-slim AS build\n"));
        assert_eq!(dockerfile(&request(r#"{"sdk":"docker"}"#), Found::default(), &own), Dockerfile::Own);
    }

    #[test]
    fn a_sites_command_is_one_word_of_the_file_whatever_is_in_it() {
        let command = r#"{"sdk":"static","command":"echo \"a\"\nRUN evil && b","output":"/out"}"#;
        let text = written(&request(command), Found::default(), &settings());
        assert!(text.contains(r#"RUN ["/bin/sh","-c","echo \"a\"\nRUN evil && b"]"#), "{text}");
        assert!(text.contains("\nARG A\n") && text.ends_with("FROM scratch\nCOPY --from=build /home/user/app /\n"));
    }
}
