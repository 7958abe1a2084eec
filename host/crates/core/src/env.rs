//! What an app finds in its environment, and what a static page finds in `window.huggingface.variables`.
//!
//! Pure: names and values in the order they are to be set, each name once. The Space's own settings win over the
//! platform's names, and secrets over variables, as a later assignment wins over an earlier one.

use crate::hardware::Hardware;
use crate::limits::Bytes;
use crate::space::Space;

/// Everything an app's environment is made of.
#[derive(Debug, Clone, Copy)]
pub struct AppEnvironment<'a> {
    /// The Space.
    pub space: &'a Space,
    /// The title in its front matter.
    pub title: Option<&'a str>,
    /// What it runs on.
    pub hardware: &'a Hardware,
    /// The host name (with a port that is not the scheme's) of its app.
    pub host: &'a str,
    /// Its secrets, decrypted.
    pub secrets: &'a [(String, String)],
    /// What it signs visitors in with, if its front matter asks for that.
    pub oauth: Option<&'a OauthSettings>,
}

/// What a Space needs to sign visitors in at this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthSettings {
    /// How the host knows the Space.
    pub client_id: String,
    /// By which the Space proves that it is that; never for a page.
    pub client_secret: String,
    /// What it may ask users for.
    pub scopes: String,
    /// The hub.
    pub provider_url: String,
}

/// The environment of an app.
pub fn app_environment(source: AppEnvironment<'_>) -> Vec<(String, String)> {
    let AppEnvironment { space, title, hardware, host, secrets, oauth } = source;
    let platform = [
        ("CPU_CORES", hardware.vcpu.to_string()),
        ("MEMORY", memory(hardware.memory)),
        ("ACCELERATOR", if hardware.gpu.is_some() { hardware.name.clone() } else { "none".to_owned() }),
        ("SPACE_AUTHOR_NAME", space.path.owner.to_string()),
        ("SPACE_REPO_NAME", space.path.name.to_string()),
        ("SPACE_TITLE", title.unwrap_or_else(|| space.path.name.as_str()).to_owned()),
        ("SPACE_ID", space.path.to_string()),
        ("SPACE_HOST", host.to_owned()),
        ("SPACE_CREATOR_USER_ID", space.creator.to_string()),
    ];
    let mut pairs = Pairs::default();
    pairs.extend(platform.map(|(name, value)| (name.to_owned(), value)));
    if let Some(oauth) = oauth {
        pairs.extend(public_oauth(oauth));
        pairs.extend([
            ("OAUTH_CLIENT_SECRET".to_owned(), oauth.client_secret.clone()),
            ("OPENID_PROVIDER_URL".to_owned(), oauth.provider_url.clone()),
        ]);
    }
    pairs.extend(variables(space));
    pairs.extend(secrets.iter().cloned());
    pairs.0
}

/// What the pages of a static Space are given. `secrets` is empty where the operator does not expose them. Of the settings
/// for signing in pages get those that may be known.
pub fn page_variables(
    space: &Space,
    secrets: &[(String, String)],
    oauth: Option<&OauthSettings>,
) -> Vec<(String, String)> {
    let mut pairs = Pairs::default();
    pairs.extend([("SPACE_CREATOR_USER_ID".to_owned(), space.creator.to_string())]);
    pairs.extend(oauth.into_iter().flat_map(public_oauth));
    pairs.extend(variables(space));
    pairs.extend(secrets.iter().cloned());
    pairs.0
}

fn public_oauth(oauth: &OauthSettings) -> [(String, String); 2] {
    [("OAUTH_CLIENT_ID".to_owned(), oauth.client_id.clone()), ("OAUTH_SCOPES".to_owned(), oauth.scopes.clone())]
}

fn variables(space: &Space) -> impl Iterator<Item = (String, String)> {
    space.variables.iter().map(|(name, variable)| (name.clone(), variable.value.clone()))
}

/// Memory as apps expect it: a whole number of `Gi` or `Mi`. The catalogue counts in GB, for which users of Spaces know
/// the same number with `Gi`.
fn memory(bytes: Bytes) -> String {
    for (unit, binary, decimal) in [("Gi", 1u64 << 30, 1_000_000_000), ("Mi", 1 << 20, 1_000_000)] {
        for size in [binary, decimal] {
            if bytes.0 >= size && bytes.0.is_multiple_of(size) {
                return format!("{}{unit}", bytes.0 / size);
            }
        }
    }
    bytes.0.to_string()
}

/// Names and values, each name once.
#[derive(Default)]
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn extend(&mut self, pairs: impl IntoIterator<Item = (String, String)>) {
        for (name, value) in pairs {
            match self.0.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = value,
                None => self.0.push((name, value)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::hardware::Catalogue;
    use crate::id::{AccountId, SpaceId};
    use crate::name::Subdomain;
    use crate::space::{Sdk, SleepAfter, Variable, Visibility};

    fn space(variables: &[(&str, &str)]) -> Space {
        let path = "ada/My_Space".parse().unwrap();
        Space {
            id: SpaceId::from_bytes([1; 12]),
            subdomain: Subdomain::derive(&path),
            path,
            owner: AccountId::from_bytes([2; 12]),
            creator: AccountId::from_bytes([3; 12]),
            created_at: 0,
            updated_at: 0,
            visibility: Visibility::Public,
            sdk: Sdk::Wasm,
            hardware: "cpu-basic".into(),
            storage: None,
            sleep_after: SleepAfter::HostDefault,
            variables: variables
                .iter()
                .map(|(name, value)| {
                    (name.to_string(), Variable { value: value.to_string(), description: None, updated_at: 0 })
                })
                .collect(),
            secrets: BTreeMap::new(),
            preview: None,
        }
    }

    fn environment(space: &Space, secrets: &[(String, String)]) -> Vec<(String, String)> {
        let catalogue = Catalogue::default();
        let hardware = catalogue.flavor("cpu-basic").unwrap();
        app_environment(AppEnvironment {
            space,
            title: Some("Guests"),
            hardware,
            host: "ada-my-space.localhost:7860",
            secrets,
            oauth: None,
        })
    }

    #[test]
    fn an_app_finds_every_documented_name() {
        let found = environment(&space(&[("MODEL", "small")]), &[("KEY".into(), "s3cret".into())]);
        let expected = [
            ("CPU_CORES", "2"),
            ("MEMORY", "16Gi"),
            ("ACCELERATOR", "none"),
            ("SPACE_AUTHOR_NAME", "ada"),
            ("SPACE_REPO_NAME", "My_Space"),
            ("SPACE_TITLE", "Guests"),
            ("SPACE_ID", "ada/My_Space"),
            ("SPACE_HOST", "ada-my-space.localhost:7860"),
            ("SPACE_CREATOR_USER_ID", "030303030303030303030303"),
            ("MODEL", "small"),
            ("KEY", "s3cret"),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_secret_wins_over_a_variable_and_both_over_the_platform() {
        let found =
            environment(&space(&[("SPACE_TITLE", "mine"), ("KEY", "public")]), &[("KEY".into(), "secret".into())]);
        let value = |name: &str| {
            let values: Vec<_> =
                found.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect();
            assert_eq!(values.len(), 1, "{name}");
            values[0].to_owned()
        };
        assert_eq!(value("SPACE_TITLE"), "mine");
        assert_eq!(value("KEY"), "secret");
    }

    #[test]
    fn a_page_gets_no_secret_unless_it_is_handed_one() {
        let space = space(&[("MODEL", "small")]);
        let creator = ("SPACE_CREATOR_USER_ID".to_owned(), space.creator.to_string());
        let model = ("MODEL".to_owned(), "small".to_owned());
        assert_eq!(page_variables(&space, &[], None), [creator.clone(), model.clone()]);
        let key = ("KEY".to_owned(), "s3cret".to_owned());
        assert_eq!(page_variables(&space, std::slice::from_ref(&key), None), [creator, model, key]);
    }

    #[test]
    fn an_app_can_sign_visitors_in_and_a_page_is_not_told_the_secret() {
        let oauth = OauthSettings {
            client_id: "id".into(),
            client_secret: "s3cret".into(),
            scopes: "openid profile".into(),
            provider_url: "http://localhost:7860".into(),
        };
        let (space, catalogue) = (space(&[]), Catalogue::default());
        let (hardware, oauth) = (catalogue.flavor("cpu-basic").unwrap(), Some(&oauth));
        let source = AppEnvironment { space: &space, title: None, hardware, host: "h", secrets: &[], oauth };
        let named = |pairs: Vec<(String, String)>| -> BTreeMap<String, String> {
            pairs.into_iter().filter(|(name, _)| name.contains("OAUTH") || name.contains("OPENID")).collect()
        };
        let app = named(app_environment(source));
        let expected = [
            ("OAUTH_CLIENT_ID", "id"),
            ("OAUTH_CLIENT_SECRET", "s3cret"),
            ("OAUTH_SCOPES", "openid profile"),
            ("OPENID_PROVIDER_URL", "http://localhost:7860"),
        ];
        assert_eq!(app, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        let page = named(page_variables(&space, &[], oauth));
        assert_eq!(page.into_keys().collect::<Vec<_>>(), ["OAUTH_CLIENT_ID", "OAUTH_SCOPES"]);
    }

    #[test]
    fn memory_is_written_in_whole_units() {
        for (bytes, text) in
            [(16_000_000_000, "16Gi"), (64 << 20, "64Mi"), (3 << 29, "1536Mi"), (1000, "1000"), (1 << 30, "1Gi")]
        {
            assert_eq!(memory(Bytes(bytes)), text);
        }
    }
}
