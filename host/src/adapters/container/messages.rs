//! The control plane's words in the plugin's, each checked on the way.

use std::path::Path;
use std::sync::Arc;

use spaceport_backend::protocol::{
    Artifact as Image, Ask, BuildLimits, BuildRequest as Asked, Data, Egress, FilePath, Gpu, Hardware, HostPath,
    InstanceId, Network, Recipe, Script, Value, Variable, VariableName, Word, limits,
};
use spaceport_backend::{Order, Witness};
use spaceport_control::ports::{BuildRequest, LaunchRequest};
use spaceport_core::egress::{ALLOWED_PORTS, EgressPolicy};
use spaceport_core::hardware::{Catalogue, Gpu as RowGpu, Hardware as Row};
use spaceport_core::id::SpaceId;
use spaceport_core::manifest::Manifest;
use spaceport_core::space::Sdk;

/// Seconds a build may take: what the largest of common Python stacks takes on a slow line, and half as much again.
const BUILD_SECONDS: u64 = 90 * 60;
/// Bytes of a build's log.
const BUILD_LOG: u64 = 20 << 20;
/// Bytes of what a build makes: an image with everything for a GPU has a quarter of it.
const BUILD_DISK: u64 = 50_000_000_000;

/// What a build is given, whoever asks for it.
pub(super) struct Given<'a> {
    space: SpaceId,
    files: &'a Path,
    site: Option<&'a Path>,
    variables: &'a [(String, String)],
    secrets: &'a [(String, String)],
    egress: &'a EgressPolicy,
    clean: bool,
}

impl<'a> Given<'a> {
    pub(super) fn of_build(request: &'a BuildRequest) -> Self {
        Self {
            space: request.space,
            files: &request.app.path,
            site: request.site.as_deref(),
            variables: &request.variables,
            secrets: &request.secrets,
            egress: &request.egress,
            clean: request.clean,
        }
    }

    /// The same for a launch whose image is to be built again.
    pub(super) fn of_launch(request: &'a LaunchRequest) -> Self {
        Self {
            space: request.space,
            files: &request.app.path,
            site: None,
            variables: &request.variables,
            secrets: &request.secrets,
            egress: &request.egress,
            clean: false,
        }
    }
}

/// The request to build. Builds of one Space share what they leave for the next; what another leaves is not trusted.
pub(super) fn build(id: InstanceId, manifest: &Manifest, given: &Given<'_>) -> Result<Asked, String> {
    Ok(Asked {
        id,
        scope: given.space.to_string().parse::<InstanceId>().map_err(|error| format!("the Space's id: {error}"))?,
        recipe: recipe(manifest, given.site)?,
        files: path(given.files)?,
        variables: variables(given.variables)?,
        secrets: variables(given.secrets)?,
        clean: given.clean,
        egress: egress(given.egress),
        limits: BuildLimits { seconds: BUILD_SECONDS, log_bytes: BUILD_LOG, disk_bytes: BUILD_DISK },
    })
}

fn recipe(manifest: &Manifest, site: Option<&Path>) -> Result<Recipe, String> {
    if let (Some(output), Some(command)) = (site, &manifest.app_build_command) {
        let command = command.parse::<Script>().map_err(|error| format!("app_build_command: {error}"))?;
        return Ok(Recipe::Static { command, output: path(output)? });
    }
    match manifest.sdk {
        Sdk::Docker => Ok(Recipe::Docker),
        Sdk::Gradio => Ok(Recipe::Gradio {
            app_file: manifest.app_file.parse::<FilePath>().map_err(|error| format!("app_file: {error}"))?,
            python_version: version("python_version", manifest.python_version.as_deref())?,
            sdk_version: version("sdk_version", manifest.sdk_version.as_deref())?,
        }),
        other => Err(format!("no container is built for sdk: {}", other.as_str())),
    }
}

fn version(key: &str, given: Option<&str>) -> Result<Option<Word>, String> {
    given.map(|text| text.parse::<Word>().map_err(|error| format!("{key}: {error}"))).transpose()
}

/// What a launch orders.
pub(super) fn order(
    request: &LaunchRequest,
    artifact: Image,
    hardware: Hardware,
    witness: Arc<dyn Witness>,
) -> Result<Order, String> {
    let data = match &request.data {
        Some(data) => Some(Data {
            folder: path(&data.path)?,
            quota_bytes: number(request.limits.storage.unwrap_or(limits::NUMBER)),
        }),
        None => None,
    };
    Ok(Order {
        owner: request.space.to_string(),
        number: request.instance.0,
        artifact,
        hardware,
        variables: variables(&request.env)?,
        port: request.manifest.app_port,
        data,
        egress: egress(&request.egress),
        logged_until: request.logged_until,
        witness,
    })
}

/// A row of the catalogue; `None` if its words cannot be told.
pub(super) fn hardware(row: &Row) -> Option<Hardware> {
    let gpu = match &row.gpu {
        None => None,
        Some(RowGpu { kind, count, memory }) => {
            Some(Gpu { kind: kind.parse().ok()?, count: *count, memory_bytes: number(memory.0) })
        }
    };
    let name = row.name.parse().ok()?;
    // A fraction of a CPU below a thousandth is none, and the cast saturates.
    let cpu_milli = number((row.vcpu * 1000.0).ceil() as u64);
    Some(Hardware { name, cpu_milli, memory_bytes: number(row.memory.0), disk_bytes: number(row.disk.0), gpu })
}

/// The catalogue as the protocol has it. A row whose name no backend could be told is offered by none.
pub(crate) fn ask(catalogue: &Catalogue) -> Ask {
    let mut rows = Vec::new();
    for row in &catalogue.hardware {
        match hardware(row) {
            Some(told) if rows.len() < limits::FLAVORS => rows.push(told),
            _ => tracing::warn!(flavor = row.name, "no backend is asked for this hardware: its row cannot be told"),
        }
    }
    Ask { hardware: rows }
}

fn variables(pairs: &[(String, String)]) -> Result<Vec<Variable>, String> {
    let variable = |(name, value): &(String, String)| {
        let wrong = |error: &dyn std::fmt::Display| format!("the variable {name} cannot be set: {error}");
        Ok(Variable {
            name: name.parse::<VariableName>().map_err(|error| wrong(&error))?,
            value: value.parse::<Value>().map_err(|error| wrong(&error))?,
        })
    };
    pairs.iter().map(variable).collect()
}

/// Containers are held to the rule for ports and addresses; the narrower list of a README is for components, whose every
/// request the host sees.
fn egress(policy: &EgressPolicy) -> Egress {
    let network = |net: &ipnet::IpNet| Network { address: net.addr(), prefix: net.prefix_len() };
    Egress {
        ports: ALLOWED_PORTS.to_vec(),
        allow: policy.operator_allow.iter().take(limits::NETWORKS).map(network).collect(),
    }
}

fn path(path: &Path) -> Result<HostPath, String> {
    let text = path.to_str().ok_or_else(|| format!("the path {} is not UTF-8", path.display()))?;
    text.parse::<HostPath>().map_err(|error| format!("{text}: {error}"))
}

fn number(number: u64) -> u64 {
    number.min(limits::NUMBER)
}

#[cfg(test)]
mod tests {
    use spaceport_core::limits::Bytes;
    use spaceport_core::plugin::Plugins;

    use super::*;

    fn manifest(lines: &str) -> Manifest {
        let readme = format!("---\n{lines}\n---\n");
        Manifest::from_readme(readme.as_bytes(), Plugins::Only(&[])).unwrap()
    }

    #[test]
    fn a_readme_becomes_a_recipe() {
        assert_eq!(recipe(&manifest("sdk: docker"), None), Ok(Recipe::Docker));
        let lines = "sdk: gradio\nsdk_version: 5.23.1\npython_version: \"3.12\"\napp_file: src/main.py";
        let gradio = Recipe::Gradio {
            app_file: "src/main.py".parse().unwrap(),
            python_version: Some("3.12".parse().unwrap()),
            sdk_version: Some("5.23.1".parse().unwrap()),
        };
        assert_eq!(recipe(&manifest(lines), None), Ok(gradio));
        let site = manifest("sdk: static\napp_build_command: npm run build");
        let built = Recipe::Static { command: "npm run build".parse().unwrap(), output: "/x/site".parse().unwrap() };
        assert_eq!(recipe(&site, Some(Path::new("/x/site"))), Ok(built));
        assert!(recipe(&site, None).unwrap_err().contains("static"));
    }

    #[test]
    fn what_cannot_be_told_is_named() {
        let error = variables(&[("A-B".to_owned(), String::new())]).unwrap_err();
        assert!(error.starts_with("the variable A-B cannot be set: "), "{error}");
        assert!(path(Path::new("relative")).is_err());
    }

    #[test]
    fn the_operators_networks_are_passed_on() {
        let policy =
            EgressPolicy { operator_allow: vec!["198.51.100.0/24".parse().unwrap()], ..EgressPolicy::default() };
        let egress = egress(&policy);
        assert_eq!(egress.ports, ALLOWED_PORTS);
        assert_eq!(egress.allow, ["198.51.100.0/24".parse::<Network>().unwrap()]);
    }

    #[test]
    fn every_row_of_the_built_in_catalogue_can_be_told() {
        let catalogue = Catalogue::default();
        let ask = ask(&catalogue);
        assert_eq!(ask.hardware.len(), catalogue.hardware.len());
        let (row, told) = (&catalogue.hardware[0], &ask.hardware[0]);
        assert_eq!((told.name.as_str(), told.memory_bytes), (row.name.as_str(), row.memory.0));
        assert!(ask.hardware.iter().any(|row| row.gpu.is_some()));
    }

    #[test]
    fn a_row_that_cannot_be_told_is_left_out() {
        let mut catalogue = Catalogue::default();
        let row = Row { name: "cpu tiny".into(), memory: Bytes(u64::MAX), vcpu: 0.25, ..catalogue.hardware[0].clone() };
        let named = Row { name: "cpu-tiny".into(), ..row.clone() };
        catalogue.hardware = vec![row, named];
        let told = ask(&catalogue).hardware;
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].cpu_milli, told[0].memory_bytes), (250, limits::NUMBER));
    }
}
