//! The scanner out of this program, on the engine, as what the control plane looks for secrets with.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use spaceport_control::ports::{self, ScanReport, SecretMatch, SecretScanner};
use spaceport_engine::{ArtifactId, CompileError, Engine, ScanError, ScanText, Scanned};

/// The component that looks for secrets, built from `plugins/scanner`.
const SCANNER: &[u8] = include_bytes!(env!("SPACEPORT_SCANNER"));

/// The embedded scanner, compiled.
pub(crate) struct EngineScanner {
    engine: Arc<Engine>,
    artifact: ArtifactId,
}

impl EngineScanner {
    /// Compiles it, unless that was done before.
    pub(crate) async fn new(engine: Arc<Engine>) -> Result<Self, CompileError> {
        let artifact = engine.compile_scanner(SCANNER).await?;
        Ok(Self { engine, artifact })
    }
}

impl SecretScanner for EngineScanner {
    fn scan(&self, texts: Vec<ports::ScanText>) -> BoxFuture<'static, ScanReport> {
        let (engine, artifact) = (self.engine.clone(), self.artifact);
        async move {
            let texts: Vec<ScanText> =
                texts.into_iter().map(|text| ScanText { path: text.path, text: text.text }).collect();
            let mut scanned = engine.scan(artifact, texts.clone()).await;
            if let Some(ScanError::Load(error)) = &scanned.failed {
                tracing::info!(%error, "compiling the scanner again: its artifact is not usable");
                match engine.compile_scanner(SCANNER).await {
                    Ok(artifact) => scanned = engine.scan(artifact, texts).await,
                    Err(error) => tracing::error!(%error, "the scanner cannot be compiled"),
                }
            }
            report(scanned)
        }
        .boxed()
    }
}

fn report(scanned: Scanned) -> ScanReport {
    if let Some(error) = &scanned.failed {
        tracing::error!(scanned = scanned.texts, %error, "the scanner for secrets failed");
    }
    let found = scanned.secrets.into_iter();
    let matches =
        found.map(|secret| SecretMatch { text: secret.text, rule: secret.rule, start: secret.start, end: secret.end });
    ScanReport { matches: matches.collect(), scanned: scanned.texts }
}
