//! The machine that the wizard runs on.

use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::process::Command;

use super::HostError;
use super::shell::{Feed, Shell, Take, pump};

/// Commands here. They are in a process group of their own: a Ctrl-C at the terminal is for the wizard alone.
pub(super) struct Local;

#[async_trait]
impl Shell for Local {
    async fn connect(&self) -> Result<(), HostError> {
        Ok(())
    }

    async fn run(
        &self,
        argv: &[&str],
        feed: Feed<'_>,
        sink: &mut dyn Take,
        patience: Duration,
    ) -> Result<Vec<u8>, HostError> {
        let Some((program, args)) = argv.split_first() else {
            return Err(HostError::Refused("there is no command to run".into()));
        };
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| HostError::Refused(format!("cannot run {program} on this machine: {error}")))?;
        let (input, output, complaint) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let work = async {
            let said = pump(input, output, complaint, &[], feed, sink).await?;
            let _ = child.wait().await;
            Ok(said)
        };
        tokio::time::timeout(patience, work)
            .await
            .unwrap_or_else(|_| Err(HostError::Lost(format!("no answer in {} s", patience.as_secs()))))
    }

    async fn close(&self) {}
}
