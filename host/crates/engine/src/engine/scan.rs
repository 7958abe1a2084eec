//! Scanners: compiled and run by the engine's own means, apart from Spaces.

use super::Engine;
use crate::artifacts::ArtifactId;
use crate::compile::{CompileError, Refusal};
use crate::scan::{CPU, Ready, ScanError, ScanText, Scanned};

impl Engine {
    /// Compiles a scanner that the host brings itself, unless that was done before.
    pub async fn compile_scanner(&self, component: &[u8]) -> Result<ArtifactId, CompileError> {
        let id = self.artifacts.id(component);
        let say = |line: &str| tracing::debug!(line, "the host's scanner");
        self.compiler.run(component, &self.artifacts, id, &say).await?;
        let loaded = self.artifacts.load(id).await.map_err(CompileError::Load)?;
        let fits = Ready::new(&self.scan_linker, loaded.component());
        fits.map_err(|error| Refusal::Link(error.to_string()))?;
        Ok(id)
    }

    /// Has a scanner look for secrets in texts.
    pub async fn scan(&self, scanner: ArtifactId, texts: Vec<ScanText>) -> Scanned {
        let failed = |error| Scanned { failed: Some(error), ..Scanned::default() };
        let ready = match self.artifacts.load(scanner).await {
            Ok(loaded) => Ready::new(&self.scan_linker, loaded.component()),
            Err(error) => Err(ScanError::Load(error)),
        };
        let ready = match ready {
            Ok(ready) => ready,
            Err(error) => return failed(error),
        };
        let work = ready.scan(self.core.clone(), self.fuel(1.0, CPU), texts);
        let done = self.core.data_runtime.spawn(work).await;
        done.unwrap_or_else(|error| failed(ScanError::Failed(error.to_string())))
    }
}
