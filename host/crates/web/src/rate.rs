//! How much of the hub one user, or one address that is nobody's, may ask for in five minutes.
//!
//! Three quotas, as clients know them: calls of the API, pages, and files. What clients ask again and again while they wait
//! (how a Space runs, its logs) is not counted. The windows are fixed and the same for everybody, and the counters are
//! bounded in number: when there are too many, those that were used longest ago begin anew.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{Extensions, HeaderName, StatusCode, header};
use quick_cache::sync::Cache;
use spaceport_core::id::AccountId;
use tokio::time::Instant;

use crate::auth::{Known, token};
use crate::edge::RequestContext;
use crate::error::{ApiError, header_text};
use crate::router::AppState;

/// Length of a window.
const WINDOW: Duration = Duration::from_secs(300);
/// Users and addresses that are counted at a time: some megabytes, and more than ask within one window unless somebody
/// makes up addresses.
const MAX_COUNTED: usize = 100_000;

/// Attempts to sign in from one address: what somebody needs who has forgotten which password it was, and useless to guess.
const SIGN_INS: u32 = 30;
/// Attempts to make an account from one address: what people behind one router need who look for a name that is free, each
/// with a few; how many accounts come of them is bounded elsewhere.
const SIGN_UPS: u32 = 60;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Requests in five minutes, of one user or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Calls of the API.
    pub api: u32,
    /// Pages.
    pub pages: u32,
    /// Files of repositories, by whatever protocol.
    pub resolvers: u32,
}

impl Default for RateLimits {
    /// For a host whose users are known: what the Hub gives its best customers.
    fn default() -> Self {
        Self { api: 10_000, pages: 2_000, resolvers: 100_000 }
    }
}

/// What a request counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Quota {
    Api,
    Pages,
    Resolvers,
    SignIns,
    SignUps,
}

/// Who is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    User(AccountId),
    /// An IPv4 address, or the network of an IPv6 address: whoever has one address of it has all of them.
    Address(IpAddr),
}

/// What has been used, and what may be.
pub(crate) struct Rates {
    limits: RateLimits,
    started: Instant,
    /// Of each: the window in the upper half, requests in it in the lower.
    used: Cache<(Who, Quota), Arc<AtomicU64>>,
}

/// Where somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    quota: Quota,
    limit: u32,
    left: u32,
    is_over: bool,
    /// Seconds to the next window.
    reset: u64,
}

impl Rates {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self { limits, started: Instant::now(), used: Cache::new(MAX_COUNTED) }
    }

    /// Counts a request.
    fn count(&self, who: Who, quota: Quota) -> Standing {
        let limit = match quota {
            Quota::Api => self.limits.api,
            Quota::Pages => self.limits.pages,
            Quota::Resolvers => self.limits.resolvers,
            Quota::SignIns => SIGN_INS,
            Quota::SignUps => SIGN_UPS,
        };
        let elapsed = self.started.elapsed().as_secs();
        let (window, reset) = (elapsed / WINDOW.as_secs(), WINDOW.as_secs() - elapsed % WINDOW.as_secs());
        let made = self.used.get_or_insert_with(&(who, quota), || Ok::<_, std::convert::Infallible>(Arc::default()));
        let counter = match made {
            Ok(counter) => counter,
            Err(never) => match never {},
        };
        let next = |packed: u64| {
            let used = if packed >> 32 == window { packed & u64::from(u32::MAX) } else { 0 };
            (window << 32) | (used + 1).min(u64::from(u32::MAX))
        };
        let before = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| Some(next(packed)));
        let used = next(before.unwrap_or_else(|packed| packed)) & u64::from(u32::MAX);
        let left = u64::from(limit).saturating_sub(used);
        Standing {
            quota,
            limit,
            left: u32::try_from(left).unwrap_or(u32::MAX),
            is_over: used > u64::from(limit),
            reset,
        }
    }
}

impl Quota {
    /// What a request for this path counts as; `None`: it is not counted.
    fn of(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["healthz" | "readyz"] => None,
            ["api", "spaces", _, _, "runtime" | "logs" | "events" | "metrics", ..] => None,
            ["api", "lfs", ..] => Some(Self::Resolvers),
            ["api", ..] | ["oauth", "token" | "revoke" | "userinfo" | "jwks" | "device"] | [".well-known", ..] => {
                Some(Self::Api)
            }
            ["spaces", _, _, "resolve" | "raw" | "info" | "git-upload-pack" | "git-receive-pack" | "lfs", ..] => {
                Some(Self::Resolvers)
            }
            _ => Some(Self::Pages),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Pages => "pages",
            Self::Resolvers => "resolvers",
            Self::SignIns => "sign-ins",
            Self::SignUps => "sign-ups",
        }
    }
}

impl Standing {
    fn describe(self, response: &mut Response) {
        let Self { quota, limit, left, reset, .. } = self;
        let (name, window) = (quota.name(), WINDOW.as_secs());
        let headers = response.headers_mut();
        headers.insert(RATE_LIMIT, header_text(&format!("\"{name}\";r={left};t={reset}")));
        let policy = format!("\"fixed window\";\"{name}\";q={limit};w={window}");
        headers.insert(RATE_LIMIT_POLICY, header_text(&policy));
    }

    fn refusal(self) -> Response {
        let Self { quota, limit, reset, .. } = self;
        let message = format!(
            "Too many requests: {limit} in {} seconds are allowed under the quota {:?}. Try again in {reset} seconds",
            WINDOW.as_secs(),
            quota.name(),
        );
        let refused = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        let mut response = refused.into_response();
        response.headers_mut().insert(header::RETRY_AFTER, header_text(&reset.to_string()));
        response
    }
}

/// Whether requests for this path are counted.
pub(crate) fn is_counted(path: &str) -> bool {
    Quota::of(path).is_some()
}

/// Counts a request and says where its sender stands; refuses it over the quota.
pub(crate) async fn limit(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let Some(quota) = Quota::of(request.uri().path()) else { return next.run(request).await };
    let who = sender(&app, &mut request);
    let standing = app.rates.count(who, quota);
    let mut response = match standing.is_over {
        true => standing.refusal(),
        false => next.run(request).await,
    };
    standing.describe(&mut response);
    response
}

/// Seconds that somebody must wait who has tried to sign in too often.
pub(crate) fn wait_to_sign_in(app: &AppState, context: Option<&RequestContext>) -> Option<u64> {
    let standing = app.rates.count(address(context), Quota::SignIns);
    standing.is_over.then_some(standing.reset)
}

/// The same for somebody who has tried to make an account.
pub(crate) fn wait_to_sign_up(app: &AppState, context: Option<&RequestContext>) -> Option<u64> {
    let standing = app.rates.count(address(context), Quota::SignUps);
    standing.is_over.then_some(standing.reset)
}

fn address(context: Option<&RequestContext>) -> Who {
    Who::Address(network_of(context))
}

/// The same as [`origin`], of what the edge knows of a request.
pub(crate) fn network_of(context: Option<&RequestContext>) -> IpAddr {
    network(context.map_or(IpAddr::from([0, 0, 0, 0]), |context| context.client_ip))
}

/// Who sends a request. Only a valid token makes somebody of its sender: else each made-up one would have a quota.
fn sender(app: &AppState, request: &mut Request) -> Who {
    let signed = token(request.headers()).and_then(|token| app.control.accounts().authenticate(&token).ok().flatten());
    match signed {
        Some(signed) => {
            let who = Who::User(signed.user.id);
            request.extensions_mut().insert(Known(Arc::new(signed)));
            who
        }
        None => Who::Address(origin(request.extensions())),
    }
}

/// From where a request comes, as far as one customer can choose it.
pub(crate) fn origin(extensions: &Extensions) -> IpAddr {
    network_of(extensions.get::<RequestContext>())
}

/// The part of an address that is given to one customer.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            IpAddr::from(segments)
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_counts_as_what_it_is() {
        for (path, quota) in [
            ("/api/spaces", Some(Quota::Api)),
            ("/api/spaces/ada/page", Some(Quota::Api)),
            ("/api/spaces/ada/runtime", Some(Quota::Api)),
            ("/api/spaces/ada/page/runtime", None),
            ("/api/spaces/ada/page/logs/run", None),
            ("/spaces/ada/page/resolve/main/a", Some(Quota::Resolvers)),
            ("/spaces/ada/page/raw/main/a", Some(Quota::Resolvers)),
            ("/spaces/ada/page.git/info/refs", Some(Quota::Resolvers)),
            ("/spaces/ada/page", Some(Quota::Pages)),
            ("/", Some(Quota::Pages)),
            ("/healthz", None),
        ] {
            assert_eq!(Quota::of(path), quota, "{path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_quota_is_used_up_and_comes_back() {
        let rates = Rates::new(RateLimits { api: 2, pages: 1, resolvers: 1 });
        let (ada, bob) = (Who::User(AccountId::from_bytes([1; 12])), Who::User(AccountId::from_bytes([2; 12])));
        let standing = |who, quota| {
            let standing = rates.count(who, quota);
            (standing.left, standing.is_over)
        };
        assert_eq!(standing(ada, Quota::Api), (1, false));
        assert_eq!(standing(ada, Quota::Api), (0, false));
        assert_eq!(standing(ada, Quota::Api), (0, true));
        assert_eq!(standing(ada, Quota::Pages), (0, false), "each quota by itself");
        assert_eq!(standing(bob, Quota::Api), (1, false), "each user by itself");
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!((rates.count(ada, Quota::Api).is_over, rates.count(ada, Quota::Api).reset), (true, 200));
        tokio::time::advance(Duration::from_secs(200)).await;
        assert_eq!(standing(ada, Quota::Api), (1, false));
        assert_eq!(rates.count(ada, Quota::Api).reset, 300);
    }

    #[test]
    fn made_up_addresses_do_not_fill_the_memory() {
        let rates = Rates::new(RateLimits::default());
        for number in 0..(MAX_COUNTED as u32 * 2) {
            rates.count(Who::Address(IpAddr::from(number.to_be_bytes())), Quota::Api);
        }
        assert!(rates.used.len() <= MAX_COUNTED, "{}", rates.used.len());
    }

    #[test]
    fn all_addresses_of_a_customer_are_one() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
    }
}
