//! Whether root can be had on a host, which every step's script runs as.

use std::time::Duration;

use super::findings::{Finding, When};
use crate::hosts::{HostError, Observe};
use crate::model::HostName;
use crate::model::event::{CheckResult, Verdict};
use crate::model::logtail::clean;

/// Whether root can be had on a host; nothing where the host does not answer, which is told anyway.
pub(super) async fn can_be_had(host: &HostName, seen: &dyn Observe, wait: Duration) -> Option<Finding> {
    let asked = async {
        seen.connect().await?;
        seen.try_root().await
    };
    let (verdict, because) = match tokio::time::timeout(wait, asked).await {
        Ok(Ok(())) => (Verdict::Pass, "every step's script runs as root".to_owned()),
        Ok(Err(HostError::Refused(why))) => (Verdict::Fail, clean(&why)),
        Ok(Err(_)) | Err(_) => return None,
    };
    let result =
        CheckResult { says: "root can be had here".into(), that: "root".into(), because, verdict, read: Vec::new() };
    Some(Finding { host: Some(host.clone()), guard: "Root".into(), when: When::Now, result })
}
