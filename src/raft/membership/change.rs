//! Membership changes, made one at a time.

use crate::raft::group::Group;
use crate::raft::log_target;
use crate::storage::types::{Member, RaftId};
use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;
use std::time::Duration;

/// Timeout of one membership change. If a leader does not finish a change, the next leader does.
pub(crate) const CHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Proposes a membership change. Returns whether it completed within [`CHANGE_TIMEOUT`].
pub(crate) async fn change(
    group: &Group,
    members: ChangeMembers<RaftId, Member>,
    what: &str,
) -> bool {
    match tokio::time::timeout(CHANGE_TIMEOUT, group.raft.change_membership(members, false)).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::warn!(
                target: log_target::MEMBERSHIP,
                %error, "{what} failed; retrying"
            );
            false
        }
        Err(_) => {
            tracing::warn!(target: log_target::MEMBERSHIP, "{what} is taking long; retrying");
            false
        }
    }
}

/// Finishes a joint membership change, by proposing its second step, if a leader died between the
/// two steps.
pub(crate) async fn finish_joint(group: &Group) {
    let second = {
        let metrics = group.raft.metrics();
        let metrics = metrics.borrow_watched();
        let configs = metrics.membership_config.membership().get_joint_config();
        if configs.len() < 2 || metrics.committed_membership_config != metrics.membership_config {
            return;
        }
        configs[configs.len() - 1].clone()
    };
    change(
        group,
        ChangeMembers::ReplaceAllVoters(second),
        "finishing a membership change",
    )
    .await;
}

/// Returns whether a membership change is in progress.
pub(crate) fn is_changing(group: &Group) -> bool {
    let metrics = group.raft.metrics();
    let metrics = metrics.borrow_watched();
    let effective = &metrics.membership_config;
    effective.membership().get_joint_config().len() > 1
        || metrics.committed_membership_config != *effective
}
