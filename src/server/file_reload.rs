//! The task that reads a configuration file again while the server runs.

use crate::audit::{AUDIT_TARGET, RELOAD};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A file that is read at intervals, and its conversions.
pub(super) struct FileReload<R, D, C> {
    /// The file, for the log.
    pub(super) path: PathBuf,
    /// Time between two reads.
    pub(super) interval: Duration,
    /// Reads the content of the file.
    pub(super) read: R,
    /// Derives from the content the value that the server uses.
    pub(super) derive: D,
    /// Returns the log line about new content.
    pub(super) changed: C,
    /// The consequence of an unusable file, for the log.
    pub(super) unchanged: &'static str,
}

impl<T, V, R, D, C> FileReload<R, D, C>
where
    T: Clone + PartialEq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    R: Fn(&Path) -> anyhow::Result<T> + Send + Sync + 'static,
    D: Fn(&T) -> anyhow::Result<Arc<V>> + Send + Sync + 'static,
    C: Fn(&T) -> String + Send + Sync + 'static,
{
    /// Reads the file until the value is not needed any more. While the file cannot be used, the
    /// last value stays valid, and the reason is logged once. `current` is the content at the
    /// start.
    pub(super) async fn run(self, current: T, values: watch::Sender<Arc<V>>) {
        let file = Arc::new(self);
        let mut contents = FileContents {
            last_read: current.clone(),
            current,
        };
        let mut last_error = None;
        while !values.is_closed() {
            tokio::time::sleep(file.interval).await;
            let reloaded = file.clone().reload(&mut contents, &values).await;
            // Each error includes the text of its causes.
            let error = reloaded.err().map(|error| error.to_string());
            if error != last_error {
                if let Some(error) = &error {
                    let (path, unchanged) = (file.path.display(), file.unchanged);
                    tracing::warn!("{path}: {error}; {unchanged}");
                }
                last_error = error;
            }
        }
    }

    /// Reads the file, and replaces the value if the content has changed. A file that is just being
    /// written may lack its end, so a change counts only once it is read twice in a row.
    async fn reload(
        self: Arc<Self>,
        contents: &mut FileContents<T>,
        values: &watch::Sender<Arc<V>>,
    ) -> anyhow::Result<()> {
        let file = self.clone();
        let content = tokio::task::spawn_blocking(move || (file.read)(&file.path)).await??;
        let is_settled = content == contents.last_read;
        contents.last_read = content.clone();
        if content == contents.current || !is_settled {
            return Ok(());
        }
        let (file, derived_from) = (self.clone(), content.clone());
        let value = tokio::task::spawn_blocking(move || (file.derive)(&derived_from)).await??;
        values.send_replace(value);
        let (path, changed) = (self.path.display(), (self.changed)(&content));
        tracing::info!("{path}: {changed}");
        tracing::info!(target: AUDIT_TARGET, file = %path, changed, "{RELOAD}");
        contents.current = content;
        Ok(())
    }
}

/// The contents of a file.
struct FileContents<T> {
    /// The content whose value the server uses.
    current: T,
    /// The content that was read last.
    last_read: T,
}
