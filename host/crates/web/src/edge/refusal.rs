//! Every answer that the edge gives in place of a Space: the one table from reason to status, code and words.
//!
//! The guest's fault is 502, what the platform cannot do now 503, too slow 504. Codes are the contract; the words say what
//! happened and what can be done, and nothing of the host's insides: a trap's text goes to the Space's log only.

use std::borrow::Cow;

use http::StatusCode;
use spaceport_core::fault::Fault;
use spaceport_core::stage::Stage;

/// Shortest advice in `Retry-After`, in seconds.
const RETRY_SOON: u32 = 2;
/// The same while a build runs, which takes longer.
const RETRY_BUILD: u32 = 5;
/// The same where somebody must do something first.
const RETRY_LATE: u32 = 60;

/// Why a Space does not answer itself.
#[derive(Debug, Clone)]
pub(super) enum Refusal {
    /// No host name, more than one, or one that cannot be.
    BadHost(&'static str),
    /// A request that cannot be passed on.
    BadRequest(&'static str),
    /// A host name that is nobody's here.
    Misdirected,
    /// No such Space, or none that this visitor may know of.
    NotFound,
    /// The request's body stopped coming.
    ClientTimeout,
    /// The request's body is larger than this many bytes.
    BodyTooLarge(u64),
    /// A request that came around through Spaces too often.
    Loop,
    /// The Space is starting and takes longer than a request may wait.
    Waking,
    /// The Space waits for a GPU that another has, as the sentence says.
    NoGpu(String),
    /// The Space does not run.
    Stage {
        /// What it does instead.
        stage: Stage,
        /// Why, in a sentence that visitors may read.
        message: Option<String>,
    },
    /// The Space failed, or there is no room for it.
    Fault(Fault),
}

impl Refusal {
    /// The status of the response.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::BadHost(_) | Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::NotFound | Self::Stage { stage: Stage::Deleting, .. } => StatusCode::NOT_FOUND,
            Self::ClientTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::Waking | Self::NoGpu(_) | Self::Stage { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Fault(Fault::SpaceBusy | Fault::NodeOverloaded | Fault::Stopped | Fault::BackendUnavailable(_)) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Fault(Fault::GuestDeadline(_)) => StatusCode::GATEWAY_TIMEOUT,
            Self::Fault(_) => StatusCode::BAD_GATEWAY,
        }
    }

    /// The code of the error contract.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::BadHost(_) => "bad_host",
            Self::BadRequest(_) => "bad_request",
            Self::Misdirected => "misdirected",
            Self::NotFound | Self::Stage { stage: Stage::Deleting, .. } => "not_found",
            Self::ClientTimeout => "client_timeout",
            Self::BodyTooLarge(_) => "body_too_large",
            Self::Loop => "loop_detected",
            Self::Waking | Self::Stage { stage: Stage::AppStarting | Stage::Sleeping, .. } => "space_waking",
            Self::NoGpu(_) => "no_gpu_available",
            Self::Stage { stage: Stage::Building, .. } => "space_building",
            Self::Stage { stage: Stage::Paused, .. } => "space_paused",
            Self::Stage { .. } => "space_error",
            Self::Fault(fault) => fault.code(),
        }
    }

    /// What happened, as a heading.
    pub(super) fn title(&self) -> &'static str {
        match self.code() {
            "bad_host" | "bad_request" => "This request cannot be understood",
            "misdirected" => "Nothing answers at this name",
            "not_found" => "There is no Space here",
            "client_timeout" => "The upload stopped",
            "body_too_large" => "The upload is too large",
            "loop_detected" => "This request goes in circles",
            "space_waking" => "This Space is waking up",
            "no_gpu_available" => "This Space waits for a GPU",
            "space_building" => "This Space is being built",
            "space_paused" => "This Space is paused",
            "space_busy" => "This Space is busy",
            "node_overloaded" => "This host is busy",
            "backend_unavailable" => "This Space is interrupted",
            "guest_deadline" => "This Space took too long",
            _ => "This Space has a problem",
        }
    }

    /// What happened, in a sentence.
    pub(super) fn message(&self) -> Cow<'_, str> {
        match self {
            Self::BadHost(why) | Self::BadRequest(why) => Cow::Borrowed(why),
            Self::Misdirected => "No Space and no page of this host has this name.".into(),
            Self::NotFound => "No Space answers at this address, or you may not see it.".into(),
            Self::ClientTimeout => "The rest of the request's body did not arrive in time.".into(),
            Self::BodyTooLarge(limit) => format!("A request may carry at most {limit} bytes.").into(),
            Self::Loop => "The request passed from Space to Space too many times.".into(),
            Self::Waking => "It was asleep and is starting now.".into(),
            Self::NoGpu(message) | Self::Stage { message: Some(message), .. } => message.into(),
            Self::Stage { stage, message: None } => stage_message(*stage).into(),
            Self::Fault(fault) => fault_message(fault),
        }
    }

    /// What visitor and owner can do about it.
    pub(super) fn advice(&self) -> &'static str {
        match self.code() {
            "bad_host" | "bad_request" | "misdirected" => "Check the address.",
            "not_found" => "Check the address. A private Space answers only to a request with a token of its owner.",
            "client_timeout" => "Try again on a steadier connection.",
            "body_too_large" => "Send less, or in several requests.",
            "loop_detected" => "The owner can stop the Space from calling itself through other Spaces.",
            "space_waking" | "no_gpu_available" => "This page tries again by itself.",
            "space_building" => "This page tries again by itself. The owner sees the progress in the build log.",
            "space_paused" => "Its owner can restart it in the settings.",
            "space_busy" | "node_overloaded" | "backend_unavailable" => "Try again in a moment.",
            "guest_deadline" => "Try again. The owner can look at the run log or allow more time with wasm.timeout.",
            "guest_fuel_exceeded" => "The owner can do less work per request or choose larger hardware.",
            "guest_memory_exceeded" => "The owner can use less memory or choose larger hardware.",
            _ => "The owner finds the reason in the Space's logs.",
        }
    }

    /// Seconds after which it is worth trying again, if it is.
    pub(super) fn retry_after(&self) -> Option<u32> {
        let soonest = match self.code() {
            "space_waking" | "space_busy" | "node_overloaded" | "backend_unavailable" => RETRY_SOON,
            "space_building" | "no_gpu_available" => RETRY_BUILD,
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => RETRY_LATE,
            _ => return None,
        };
        // Spread, so that all who were refused together do not come back together.
        Some(soonest + rand::random_range(0..=soonest))
    }

    /// Whether it counts among the Space's faults. What a visitor did does not: anybody could make a Space look broken.
    pub(super) fn is_fault(&self) -> bool {
        self.status().is_server_error() && !matches!(self, Self::Loop)
    }

    /// Whether a browser's page should try again by itself: where waiting alone will change the answer.
    pub(super) fn refreshes(&self) -> bool {
        let waits = [
            "space_waking",
            "space_building",
            "no_gpu_available",
            "space_busy",
            "node_overloaded",
            "backend_unavailable",
        ];
        waits.contains(&self.code())
    }

    /// Whether the connection is of no further use: the rest of a request's body may still be under way.
    pub(super) fn closes_connection(&self) -> bool {
        matches!(self, Self::ClientTimeout | Self::BodyTooLarge(_) | Self::BadHost(_) | Self::BadRequest(_))
    }
}

fn stage_message(stage: Stage) -> &'static str {
    match stage {
        Stage::Building => "A first revision is being built; nothing runs yet.",
        Stage::AppStarting | Stage::Sleeping => "Its app is starting.",
        Stage::Paused => "Its owner has paused it.",
        Stage::NoAppFile => "Its repository holds no app yet.",
        Stage::ConfigError => "The README of its repository has no valid configuration.",
        Stage::BuildError => "Its last build failed and no earlier one can answer.",
        Stage::Deleting => "No Space answers at this address, or you may not see it.",
        Stage::RuntimeError | Stage::Running | Stage::RunningBuilding | Stage::RunningAppStarting => {
            "Its app could not be started."
        }
    }
}

fn fault_message(fault: &Fault) -> Cow<'static, str> {
    match fault {
        Fault::GuestTrap(_) => "Its app crashed while it answered this request.".into(),
        Fault::GuestFuelExceeded(_) => "This request needed more work than one request may cause.".into(),
        Fault::GuestMemoryExceeded => "Its app needed more memory than its hardware has.".into(),
        Fault::GuestNoResponse => "Its app gave no answer.".into(),
        Fault::GuestBadResponse(_) => "Its app gave an answer that cannot be passed on.".into(),
        Fault::GuestDeadline(limit) => format!("Its app did not answer within {} seconds.", limit.as_secs_f32()).into(),
        Fault::SpaceBusy => "It is at work on as many requests as its hardware allows.".into(),
        Fault::NodeOverloaded => "All Spaces together use what this machine has.".into(),
        Fault::Stopped => "It was stopped while this request waited.".into(),
        Fault::ContainerUnreachable(_) => "Its container did not take this request, or broke off its answer.".into(),
        Fault::BackendUnavailable(_) => "What runs its container is being restarted.".into(),
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_refusal_has_the_status_of_the_contract() {
        let stage = |stage| Refusal::Stage { stage, message: None };
        for (refusal, status, code) in [
            (Refusal::BadHost(""), 400, "bad_host"),
            (Refusal::Misdirected, 421, "misdirected"),
            (Refusal::NotFound, 404, "not_found"),
            (Refusal::ClientTimeout, 408, "client_timeout"),
            (Refusal::BodyTooLarge(1), 413, "body_too_large"),
            (Refusal::Loop, 508, "loop_detected"),
            (Refusal::Waking, 503, "space_waking"),
            (stage(Stage::AppStarting), 503, "space_waking"),
            (Refusal::NoGpu(String::new()), 503, "no_gpu_available"),
            (stage(Stage::Building), 503, "space_building"),
            (stage(Stage::Paused), 503, "space_paused"),
            (stage(Stage::BuildError), 503, "space_error"),
            (stage(Stage::NoAppFile), 503, "space_error"),
            (stage(Stage::RuntimeError), 503, "space_error"),
            (stage(Stage::Deleting), 404, "not_found"),
            (Fault::GuestTrap(String::new()).into(), 502, "guest_trap"),
            (Fault::GuestFuelExceeded(1).into(), 502, "guest_fuel_exceeded"),
            (Fault::GuestMemoryExceeded.into(), 502, "guest_memory_exceeded"),
            (Fault::GuestNoResponse.into(), 502, "guest_no_response"),
            (Fault::GuestBadResponse(String::new()).into(), 502, "guest_bad_response"),
            (Fault::GuestDeadline(Duration::from_secs(1)).into(), 504, "guest_deadline"),
            (Fault::SpaceBusy.into(), 503, "space_busy"),
            (Fault::NodeOverloaded.into(), 503, "node_overloaded"),
            (Fault::Stopped.into(), 503, "space_waking"),
            (Fault::ContainerUnreachable(String::new()).into(), 502, "container_unreachable"),
            (Fault::BackendUnavailable(String::new()).into(), 503, "backend_unavailable"),
        ] {
            assert_eq!((refusal.status().as_u16(), refusal.code()), (status, code), "{refusal:?}");
            assert!(!refusal.title().is_empty() && !refusal.advice().is_empty());
            assert_eq!(refusal.retry_after().is_some(), status == 503, "{refusal:?}");
        }
    }

    #[test]
    fn what_a_guest_says_of_its_crash_is_not_shown_to_visitors() {
        let refusal = Refusal::from(Fault::GuestTrap("secret backtrace".into()));
        assert!(!refusal.message().contains("secret"));
    }

    #[test]
    fn advice_to_retry_is_spread() {
        let waits: std::collections::HashSet<u32> = (0..100).filter_map(|_| Refusal::Waking.retry_after()).collect();
        assert!(waits.len() > 1 && waits.iter().all(|wait| (2..=4).contains(wait)), "{waits:?}");
    }
}
