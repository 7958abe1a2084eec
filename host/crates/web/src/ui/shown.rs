//! What pages show of how a Space runs, in words: said here for the page as it is loaded and for every event after that.

use std::time::Duration;

use serde::Serialize;
use spaceport_control::service::{BuildPhase, RuntimeView};
use spaceport_core::space::Sdk;
use spaceport_core::stage::Stage;

/// A stage as it is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct StageBadge(pub(super) Stage);

/// How a Space runs, for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    /// Its stage.
    words: &'static str,
    /// How that looks.
    mood: &'static str,
    /// Whether a visit is answered by the app, at once or after waking.
    pub(super) is_served: bool,
    /// What happens now, or what it waits for.
    pub(super) doing: Option<String>,
    /// Seconds since that began; while it is built, since the build began.
    pub(super) elapsed: Option<u64>,
    /// How long that took the last time.
    pub(super) usual: Option<String>,
    /// What keeps it from starting, which is nobody's mistake.
    pub(super) notice: Option<String>,
}

impl StageBadge {
    /// In words.
    pub(super) fn words(self) -> &'static str {
        match self.0 {
            Stage::NoAppFile => "No app file",
            Stage::ConfigError => "Config error",
            Stage::Building => "Building",
            Stage::BuildError => "Build error",
            Stage::AppStarting => "Starting",
            Stage::Running => "Running",
            Stage::RunningBuilding => "Running, building",
            Stage::RunningAppStarting => "Running, restarting",
            Stage::RuntimeError => "Runtime error",
            Stage::Sleeping => "Sleeping",
            Stage::Paused => "Paused",
            Stage::Deleting => "Deleting",
        }
    }

    /// How it looks.
    pub(super) fn mood(self) -> &'static str {
        match self.0 {
            Stage::Running => "good",
            Stage::Building | Stage::AppStarting | Stage::RunningBuilding | Stage::RunningAppStarting => "busy",
            Stage::ConfigError | Stage::BuildError | Stage::RuntimeError => "bad",
            Stage::NoAppFile | Stage::Sleeping | Stage::Paused | Stage::Deleting => "idle",
        }
    }
}

impl Shown {
    /// What is shown of a Space that runs so.
    pub(crate) fn of(runtime: &RuntimeView) -> Self {
        let (stage, badge) = (runtime.stage, StageBadge(runtime.stage));
        let notice = runtime.error_message.clone().filter(|_| is_starting(stage));
        let doing = match stage {
            Stage::Building | Stage::RunningBuilding => Some(building(runtime)),
            Stage::AppStarting if notice.is_some() => Some("Not started yet".to_owned()),
            Stage::AppStarting => Some("Starting, waiting for its first answer".to_owned()),
            Stage::RunningAppStarting => Some("Starting anew; what ran before answers until then".to_owned()),
            Stage::Sleeping => Some("Asleep, waiting for a visit".to_owned()),
            _ => None,
        };
        let is_built = matches!(stage, Stage::Building | Stage::RunningBuilding);
        let begun = if is_built { runtime.build.map(|(_, age)| age) } else { runtime.stage_age };
        let usual = runtime.last_build.filter(|_| is_built);
        Self {
            words: badge.words(),
            mood: badge.mood(),
            is_served: is_served(stage),
            elapsed: begun.filter(|_| doing.is_some()).map(|age| age.as_secs()),
            usual: usual.map(|took| match took.as_secs() {
                0 => "The last build took less than a second".to_owned(),
                _ => format!("The last build took {}", span(took)),
            }),
            doing,
            notice,
        }
    }

    /// The seconds, for people.
    pub(super) fn elapsed_words(&self) -> String {
        self.elapsed.map(|seconds| span(Duration::from_secs(seconds))).unwrap_or_default()
    }
}

/// Whether something is about to run.
pub(super) fn is_starting(stage: Stage) -> bool {
    matches!(stage, Stage::AppStarting | Stage::RunningAppStarting)
}

/// Whether a visit is answered by the app.
fn is_served(stage: Stage) -> bool {
    matches!(stage, Stage::Running | Stage::RunningBuilding | Stage::RunningAppStarting | Stage::Sleeping)
}

/// What is done in a build.
fn building(runtime: &RuntimeView) -> String {
    let words = match runtime.build.map(|(phase, _)| phase) {
        None => "Building",
        Some(BuildPhase::Reading) => "Reading the README",
        Some(BuildPhase::Queued) => {
            return match runtime.queue_position.unwrap_or(0) {
                0 => "Waiting for its turn to be built".to_owned(),
                1 => "Waiting for 1 build that is ahead of it".to_owned(),
                ahead => format!("Waiting for {ahead} builds that are ahead of it"),
            };
        }
        Some(BuildPhase::CheckingOut) => "Checking out the files",
        Some(BuildPhase::Building) if runtime.sdk == Sdk::Wasm => "Compiling",
        Some(BuildPhase::Building) if runtime.sdk.is_container() => "Building the image",
        Some(BuildPhase::Building) => "Building",
        Some(BuildPhase::Storing) => "Storing the release",
    };
    words.to_owned()
}

/// A span of time as the scripts of pages write it, too.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(stage: Stage) -> RuntimeView {
        RuntimeView {
            stage,
            sdk: Sdk::Wasm,
            hardware: "cpu-basic".to_owned(),
            current_hardware: None,
            storage: None,
            sleep_after: None,
            app_authority: "ada-app.spaces.test".to_owned(),
            revision: None,
            error_message: None,
            queue_position: None,
            stage_age: Some(Duration::from_secs(75)),
            build: None,
            last_build: Some(Duration::from_millis(34_900)),
            generation: 1,
        }
    }

    #[test]
    fn a_build_is_told_step_by_step_with_the_time_since_it_began() {
        let at = |phase, queue_position, sdk| {
            let build = Some((phase, Duration::from_secs(3_725)));
            let shown = Shown::of(&RuntimeView { build, queue_position, sdk, ..runtime(Stage::RunningBuilding) });
            assert_eq!((shown.elapsed, shown.elapsed_words().as_str()), (Some(3_725), "1 h 2 min"));
            assert_eq!(shown.usual.as_deref(), Some("The last build took 34 s"));
            shown.doing.unwrap()
        };
        assert_eq!(at(BuildPhase::Reading, None, Sdk::Wasm), "Reading the README");
        assert_eq!(at(BuildPhase::Queued, Some(1), Sdk::Wasm), "Waiting for 1 build that is ahead of it");
        assert_eq!(at(BuildPhase::Queued, Some(2), Sdk::Wasm), "Waiting for 2 builds that are ahead of it");
        assert_eq!(at(BuildPhase::Building, None, Sdk::Wasm), "Compiling");
        assert_eq!(at(BuildPhase::Building, None, Sdk::Docker), "Building the image");
        assert_eq!(at(BuildPhase::Building, None, Sdk::Static), "Building");
        assert_eq!(at(BuildPhase::Storing, None, Sdk::Wasm), "Storing the release");
    }

    #[test]
    fn what_a_start_waits_for_is_a_notice_and_what_went_wrong_is_none() {
        let words = "Waiting for hardware: waiting for 1 t4 GPU: 0 of 1 free";
        for stage in [Stage::AppStarting, Stage::RunningAppStarting] {
            let shown = Shown::of(&RuntimeView { error_message: Some(words.to_owned()), ..runtime(stage) });
            assert_eq!((shown.notice.as_deref(), shown.elapsed_words().as_str()), (Some(words), "1 min 15 s"));
            assert!(shown.doing.is_some() && shown.usual.is_none());
        }
        let failed = RuntimeView { error_message: Some(words.to_owned()), ..runtime(Stage::RuntimeError) };
        let shown = Shown::of(&failed);
        assert_eq!((shown.notice, shown.doing, shown.elapsed), (None, None, None));
    }

    #[test]
    fn a_sleeper_waits_for_a_visit_and_who_runs_for_nothing() {
        assert_eq!(Shown::of(&runtime(Stage::Sleeping)).doing.as_deref(), Some("Asleep, waiting for a visit"));
        let asleep_since_before = RuntimeView { stage_age: None, ..runtime(Stage::Sleeping) };
        assert_eq!(Shown::of(&asleep_since_before).elapsed, None);
        let quick = RuntimeView { last_build: Some(Duration::from_millis(999)), ..runtime(Stage::Building) };
        assert_eq!(Shown::of(&quick).usual.as_deref(), Some("The last build took less than a second"));
        let running = Shown::of(&runtime(Stage::Running));
        assert_eq!((running.doing, running.elapsed, running.is_served), (None, None, true));
    }
}
