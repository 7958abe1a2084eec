//! Where the hub and the apps of Spaces are reached from outside.

use spaceport_core::name::{SpacePath, Subdomain};
use spaceport_core::space::Sdk;

/// The addresses of this host, as clients see them. Authorities carry a port unless it is the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// `http` or `https`.
    pub scheme: String,
    /// Authority of the hub.
    pub hub: String,
    /// Authority below which the apps answer.
    pub spaces: String,
}

impl Addresses {
    /// Origin of the hub.
    pub fn hub_url(&self) -> String {
        format!("{}://{}", self.scheme, self.hub)
    }

    /// Address of a Space's page.
    pub fn page_url(&self, path: &SpacePath) -> String {
        format!("{}/spaces/{path}", self.hub_url())
    }

    /// Host name, with a port that is not the scheme's, at which a Space's app answers.
    pub fn app_authority(&self, subdomain: &Subdomain, sdk: Sdk) -> String {
        match sdk {
            Sdk::Static => format!("{subdomain}.static.{}", self.spaces),
            _ => format!("{subdomain}.{}", self.spaces),
        }
    }

    /// Origin of a Space's app. Never with a path: clients join theirs to it.
    pub fn app_url(&self, subdomain: &Subdomain, sdk: Sdk) -> String {
        format!("{}://{}", self.scheme, self.app_authority(subdomain, sdk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_answers_at_a_bare_origin_and_a_static_one_below_its_own_suffix() {
        let addresses =
            Addresses { scheme: "http".into(), hub: "localhost:7860".into(), spaces: "localhost:7860".into() };
        let path: SpacePath = "Ada/My_App".parse().unwrap();
        let subdomain = Subdomain::derive(&path);
        assert_eq!(addresses.app_url(&subdomain, Sdk::Wasm), "http://ada-my-app.localhost:7860");
        assert_eq!(addresses.app_url(&subdomain, Sdk::Static), "http://ada-my-app.static.localhost:7860");
        assert_eq!(addresses.page_url(&path), "http://localhost:7860/spaces/Ada/My_App");
    }
}
