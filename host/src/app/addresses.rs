//! Under which names the host is reached.

use spaceport_control::service::Addresses;
use spaceport_web::edge;

use crate::config::{Config, Scheme};

/// The public addresses: as configured, else localhost and the port that is listened on.
pub(super) fn public(config: &Config, port: u16) -> Addresses {
    let hub = config.http.domain.as_ref().map_or_else(|| format!("localhost:{port}"), ToString::to_string);
    let spaces = config.http.spaces_domain.as_ref().map_or_else(|| hub.clone(), ToString::to_string);
    Addresses { scheme: config.http.public_scheme.to_string(), hub, spaces }
}

/// Outside localhost, Spaces below the hub's own domain are the same site to a browser.
pub(super) fn warn_of_shared_site(addresses: &Addresses) {
    let is_local =
        addresses.hub.split(':').next().is_some_and(|host| host == "localhost" || host.ends_with(".localhost"));
    if !is_local && addresses.spaces == addresses.hub {
        tracing::warn!(
            domain = addresses.hub,
            "Spaces answer below the hub's own domain, so browsers take them for the same site: \
             give them another registrable domain with [http] spaces_domain"
        );
    }
}

/// The scheme as the edge names it.
pub(super) fn edge_scheme(scheme: Scheme) -> edge::Scheme {
    match scheme {
        Scheme::Http => edge::Scheme::Http,
        Scheme::Https => edge::Scheme::Https,
    }
}
